// GIVEN TO STUDENTS
module blocking

go 1.19
