"""An upper objective over the minimiser of a lower one."""
