// GIVEN TO STUDENTS
module transport

go 1.19
