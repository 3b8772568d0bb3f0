module blocking

go 1.19
