"""What a caller opens: solve, solve_many, verify, and the defaults behind them."""
