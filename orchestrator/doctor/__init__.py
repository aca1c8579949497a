"""`dtam doctor`: asks a user's own Windows servers, without changing anything, whether what dtam takes for granted holds there."""
