"""The plain form of every part: the equations in the way of the method's released code. Kept to be compared with."""
