import socket
import time

def parts(text):
    host, port = text.split(":")
    return host, int(port)


address = input("Which address shall I listen on? ")
listener = socket.create_server(parts(address))
while True:
    connection, who = listener.accept()
    question = connection.recv(1024)
    connection.send(time.ctime().encode())
    connection.close()
