"""The zoo: every specimen is judged as it says by three judges, and is refused for one reason only."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from zoo_judges import (
    NO_CERTIFICATE,
    NOT_THE_NAME,
    TLS_1_2,
    TLS_1_3,
    Change,
    accepted_by_cryptography,
    as_it_is,
    code_of_python,
    codes_of_program,
    handshake,
    present,
)

from harness.tls.zoo.certificates import EXPIRED, NOT_YET, VALID
from harness.tls.zoo.zoo import Identity, Role, Specimen, Zoo, names_of_specimens

SERVERS, CLIENTS = names_of_specimens("server"), names_of_specimens("client")
BAD = [name for role in ("server", "client") for name in names_of_specimens(role, accepted=False)]

#: Codes of X.509 errors (x509_vfy.h), and the bad specimens that have to be refused for each.
REASONS: dict[int, set[str]] = {
    7: {  # a signature
        "impostor-of-the-root",
        "damaged-signature",
        "changed-after-signing",
        "damaged-signature-of-the-intermediate",
        "client-impostor-of-the-root",
        "client-damaged-signature",
    },
    9: {"not-yet-valid", "intermediate-not-yet-valid", "client-not-yet-valid"},
    10: {"expired", "expired-intermediate", "client-expired", "client-expired-intermediate"},
    18: {"self-signed", "client-self-signed"},
    19: {"untrusted-root-sent-along", "client-untrusted-root-sent-along"},
    20: {  # an issuer is not to be found
        "untrusted-root",
        "namesake-of-the-root",
        "missing-intermediate",
        "missing-second-intermediate",
        "client-untrusted-root",
        "client-missing-intermediate",
    },
    25: {"path-too-long", "client-path-too-long"},
    26: {"for-clients-only", "intermediate-for-clients-only", "key-for-other-uses", "client-for-servers-only"},
    34: {
        "unknown-critical-extension",
        "intermediate-with-unknown-critical-extension",
        "client-unknown-critical-extension",
    },
    47: {"name-not-permitted", "other-name-not-permitted"},
    48: {"name-excluded", "address-excluded"},
    62: {
        *("wrong-name", "name-goes-on", "name-begins-earlier", "parent-name", "child-name", "dot-is-a-dot"),
        *("wildcard-for-two-labels", "wildcard-for-no-label", "wildcard-at-the-end-of-a-label"),
        *("wildcard-at-the-beginning-of-a-label", "wildcard-in-the-middle", "two-wildcards", "wildcard-alone"),
        *("name-with-nul", "name-with-comma", "common-name-only", "common-name-beside-mail"),
        *("common-name-beside-other", "name-in-mail-address", "name-in-uri", "name-in-directory-name"),
    },
    64: {"address-as-name", "wildcard-for-an-address", "address-as-common-name", "other-address", "mapped-address"},
    79: {  # an authority that is none
        "intermediate-is-no-authority",
        "intermediate-does-not-say",
        "signed-by-a-server",
        "intermediate-must-not-sign",
        "client-signed-by-a-client",
    },
    NO_CERTIFICATE: {"client-without-certificate"},
    NOT_THE_NAME: {
        *("client-wrong-name", "client-name-begins-earlier", "client-name-goes-on", "client-name-with-nul"),
        *("client-name-with-comma", "client-common-name-only", "client-name-in-mail-address"),
        *("client-wildcard", "client-address-as-name", "client-other-address"),
    },
}
REASON = {name: code for code, names in REASONS.items() for name in names}

#: The openssl program allows partial wildcards and falls back to the common name, and Python's ssl can be told not to.
PROGRAM_IS_LAX = {
    *("wildcard-at-the-end-of-a-label", "wildcard-at-the-beginning-of-a-label"),
    *("common-name-only", "common-name-beside-mail"),
    *("client-wildcard", "client-common-name-only"),  # it has no other rules for clients
}
#: Said again in other words: who is no authority has not the purpose of one, and may lack keyCertSign as well.
SAID_AGAIN = {79: {26, 32}}
#: cryptography does not ask what the key of a server is for.
CRYPTOGRAPHY_IS_LAX = {"key-for-other-uses"}


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    return Zoo()


# -- the first judge: Python's ssl ---------------------------------------------------------------------------


def test_every_bad_beast_has_a_reason() -> None:
    assert sorted(REASON) == sorted(BAD)


def make_strict(context: ssl.SSLContext) -> None:
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("name", [*SERVERS, *CLIENTS])
def test_python_judges_as_the_zoo_says(
    zoo: Zoo, tmp_path: Path, name: str, version: ssl.TLSVersion, strict: bool
) -> None:
    change = make_strict if strict else as_it_is
    assert code_of_python(zoo.specimen(name), zoo.server(), tmp_path, version, change) == REASON.get(name, 0)


# -- each bug lets the specimens in that are there for it, and no others ----------------------------------------


def no_name(context: ssl.SSLContext) -> None:
    context.check_hostname = False


def common_name(context: ssl.SSLContext) -> None:
    context.hostname_checks_common_name = True


def no_clock(context: ssl.SSLContext) -> None:
    context.verify_flags |= 0x200000  # X509_V_FLAG_NO_CHECK_TIME


def no_criticals(context: ssl.SSLContext) -> None:
    context.verify_flags |= 0x10  # X509_V_FLAG_IGNORE_CRITICAL


def any_anchor(context: ssl.SSLContext) -> None:
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an anchor need not be self-signed


def nothing(context: ssl.SSLContext) -> None:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE


#: What a client's name is compared with is read after the handshake: no context can leave that out.
OF_CONTEXTS = set(BAD) - REASONS[NOT_THE_NAME]
#: Wrong whatever stands above them.
IN_THE_END_ITSELF = {
    *("expired", "not-yet-valid", "unknown-critical-extension", "for-clients-only", "key-for-other-uses"),
    *("client-expired", "client-not-yet-valid", "client-unknown-critical-extension"),
    *("client-for-servers-only", "client-without-certificate"),
    *(REASONS[62] | REASONS[64]),
}


def let_in(
    zoo: Zoo, folder: Path, bug: Change, dressed: Callable[[Specimen], Specimen] = lambda specimen: specimen
) -> set[str]:
    """The bad specimens that pass a judge with a bug; `dressed`: as they are shown to it, and the roots it trusts."""
    seen = set()
    for name in OF_CONTEXTS:
        if code_of_python(dressed(zoo.specimen(name)), zoo.server(), folder, TLS_1_3, bug) == 0:
            seen.add(name)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bug", "expected"),
    [
        (as_it_is, set()),
        (no_name, REASONS[62] | REASONS[64]),
        (common_name, {"common-name-only", "common-name-beside-mail"}),
        (no_clock, REASONS[9] | REASONS[10]),
        (no_criticals, REASONS[34]),
        (nothing, OF_CONTEXTS),
    ],
)
def test_a_bug_lets_in_its_own_beasts_only(zoo: Zoo, tmp_path: Path, bug: Change, expected: set[str]) -> None:
    assert let_in(zoo, tmp_path, bug) == expected


@pytest.mark.slow
def test_who_believes_strangers_lets_in_theirs_only(zoo: Zoo, tmp_path: Path) -> None:
    seen = let_in(zoo, tmp_path, as_it_is, lambda specimen: replace(specimen, ca=specimen.ca + zoo.stranger_ca))
    assert seen == {name for name in BAD if "untrusted-root" in name}


@pytest.mark.slow
def test_who_believes_every_end_lets_in_all_that_is_wrong_above(zoo: Zoo, tmp_path: Path) -> None:
    def alone(specimen: Specimen) -> Specimen:
        if specimen.identity is None:
            return specimen
        end = b"-----END CERTIFICATE-----\n"
        own = specimen.identity.certificates.partition(end)[0] + end
        return replace(specimen, ca=own, identity=replace(specimen.identity, certificates=own))

    assert let_in(zoo, tmp_path, any_anchor, alone) == OF_CONTEXTS - IN_THE_END_ITSELF


@pytest.mark.parametrize("name", ["for-clients-only", "client-for-servers-only"])
def test_what_is_for_the_other_role_is_good_in_it(zoo: Zoo, tmp_path: Path, name: str) -> None:
    specimen = zoo.specimen(name)
    role: Role = "client" if specimen.role == "server" else "server"
    other = replace(specimen, role=role, asked=specimen.asked or "client.example")
    assert code_of_python(other, zoo.server(), tmp_path) == 0


def test_a_name_is_all_that_is_wrong_with_a_client_of_another(zoo: Zoo, tmp_path: Path) -> None:
    for name in REASONS[NOT_THE_NAME]:
        anyone = replace(zoo.specimen(name), asked="")
        assert code_of_python(anyone, zoo.server(), tmp_path) == 0, name


# -- the second judge: the openssl program -------------------------------------------------------------------

program = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")


@program
@pytest.mark.parametrize("name", [name for name in (*SERVERS, *CLIENTS) if name != "client-without-certificate"])
def test_the_program_complains_of_one_thing(zoo: Zoo, tmp_path: Path, name: str) -> None:
    reason = REASON.get(name, 0)
    if reason == NOT_THE_NAME:
        reason = 64 if "address" in name and "mail" not in name else 62
    expected = set() if reason == 0 or name in PROGRAM_IS_LAX else {reason}
    assert codes_of_program(zoo.specimen(name), tmp_path) - SAID_AGAIN.get(reason, set()) == expected


@program
@pytest.mark.slow
def test_the_program_lets_purposes_be_if_it_is_not_asked_for_them(zoo: Zoo, tmp_path: Path) -> None:
    for name in REASONS[26]:
        assert codes_of_program(zoo.specimen(name), tmp_path, "-purpose", "any") == set(), name


# -- the third judge: cryptography ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVERS)
def test_cryptography_judges_as_the_zoo_says(zoo: Zoo, name: str) -> None:
    specimen = zoo.specimen(name)
    assert accepted_by_cryptography(specimen) == (specimen.accepted or name in CRYPTOGRAPHY_IS_LAX)


# -- what the zoo promises -----------------------------------------------------------------------------------


def test_names_are_known_before_anything_is_made() -> None:
    assert len({*SERVERS, *CLIENTS}) == len(SERVERS) + len(CLIENTS)
    assert set(names_of_specimens("server", accepted=True)).isdisjoint(BAD)
    with pytest.raises(KeyError):
        Zoo().specimen("unicorn")


def test_a_beast_tells_its_rule_and_where_it_stands(zoo: Zoo) -> None:
    for role in ("server", "client"):
        for specimen in zoo.specimens(role):
            assert specimen.role == role
            assert specimen.rule.endswith(".")
            assert specimen.section.startswith(("RFC 5280, section", "RFC 9525, section", "RFC 8446, section"))
            assert specimen is zoo.specimen(specimen.name)
            assert (specimen.asked != "") or role == "client"


def test_every_zoo_is_made_anew(zoo: Zoo) -> None:
    assert Zoo().ca != zoo.ca


@pytest.mark.parametrize("role", ["server", "client"])
def test_good_identities_have_the_names_asked_for(zoo: Zoo, role: str) -> None:
    made = getattr(zoo, role)("a.example", "192.0.2.1", "2001:db8::1")
    own, above = x509.load_pem_x509_certificates(made.certificates)
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1", "2001:db8::1"]
    own.verify_directly_issued_by(above)
    above.verify_directly_issued_by(x509.load_pem_x509_certificate(zoo.ca))


def test_good_identities_speak_with_each_other(zoo: Zoo, tmp_path: Path) -> None:
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.verify_mode = ssl.CERT_REQUIRED
    for context, identity in ((client, zoo.client()), (server, zoo.server())):
        present(context, identity, tmp_path)
        context.load_verify_locations(cadata=zoo.ca.decode("ascii"))
    handshake(client, server, "server.example")


@pytest.mark.parametrize("role", ["server", "client"])
def test_a_stranger_is_good_to_those_who_trust_its_root(zoo: Zoo, tmp_path: Path, role: Role) -> None:
    stranger = zoo.stranger(role)
    specimen = replace(zoo.specimen("exact-name" if role == "server" else "client-exact-name"), identity=stranger)
    assert code_of_python(specimen, zoo.server(), tmp_path) == 20
    assert code_of_python(replace(specimen, ca=zoo.stranger_ca), zoo.server(), tmp_path) == 0


def slack(identity: Identity) -> tuple[timedelta, timedelta]:
    own = x509.load_pem_x509_certificates(identity.certificates)[0]
    now = datetime.now(UTC)
    return now - own.not_valid_before_utc, own.not_valid_after_utc - now


def test_clocks_may_differ_by_the_better_part_of_an_hour(zoo: Zoo) -> None:
    least = timedelta(minutes=59)
    since, still = slack(zoo.server(lifetime=VALID))
    assert since > least
    assert still > timedelta(hours=23)
    assert slack(zoo.server(lifetime=EXPIRED))[1] < -least
    assert slack(zoo.client(lifetime=NOT_YET))[0] < -least
