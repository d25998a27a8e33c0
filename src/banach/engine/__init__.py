"""How a run happens: loop, executors, judge, drivers, lanes, checkpoints."""
