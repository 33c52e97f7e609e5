"""What is written from the code: each module renders the files of one kind."""
