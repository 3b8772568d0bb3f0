import socket


def parts(text):
    host, port = text.split(":")
    return host, int(port)


address = input("Which address shall I connect to? ")
connection = socket.create_connection(parts(address))
while True:
    data = connection.recv(1024)
    print(data.decode(), end="")
