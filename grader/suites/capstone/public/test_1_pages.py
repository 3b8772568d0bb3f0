"""Stage 1: curl fetches pages from a web server, through your TLS, through your transport."""

from harness.testing import Profile, Scene

#: 5 % loss, damage and reordering; three losses in a row at most, so that stop-and-wait is through in time as well.
BAD = Profile(delay=0.005, jitter=0.003, loss=0.05, burst_cap=3, corrupt=0.02, reorder=0.05)


def test_a_page(lab: Scene) -> None:
    page = b"<!doctype html>\n<title>It works</title>\n" + lab.random_bytes(3_000)
    stack = lab.stack.fetches({"/index.html": page})
    stack.went_over_the_link(page)


def test_pages_over_a_bad_link(lab: Scene) -> None:
    lab.link("5 % loss, damage, reordering", up=BAD, down=BAD)
    pages = {
        "/nothing.txt": b"",
        "/a.bin": lab.random_bytes(1_200),
        "/folder/b.bin": lab.random_bytes(17_000),  # more than a TLS record holds
        "/c.bin": b"\r\n" + lab.random_bytes(30_000) + b"\0",
    }
    stack = lab.stack.fetches(pages, within=40)
    stack.went_over_the_link(*pages.values())


def test_half_an_end(lab: Scene) -> None:
    stack = lab.stack.stands()
    client = stack.connects()
    client.sends(b"all that I have to say")
    client.ends()
    server = stack.behind.accepts(within=20)
    server.reads_exactly(b"all that I have to say", within=20)
    server.sees_end(within=20)
    answer = lab.random_bytes(20_000)
    server.sends(answer)
    server.ends()
    client.reads_exactly(answer, within=20)
    client.sees_end(within=20)


def test_the_name(lab: Scene) -> None:
    page = {"/secret.txt": lab.random_bytes(900)}
    lab.says("the certificate is of the right root, for the address that tls_pipe connects to, and not for --name")
    stack = lab.stack.stands(pages=page, identity=lab.tls.zoo.server("127.0.0.1"))
    stack.curl_fails("/secret.txt")
    lab.says("and one for the name that was asked for")
    lab.stack.fetches(page)
