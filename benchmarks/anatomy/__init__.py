"""How well the anatomy is found on patients that the weights have not seen."""
