module transport

go 1.19
