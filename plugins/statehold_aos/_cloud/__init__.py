"""The cloud's side of states, as a program to develop against."""
