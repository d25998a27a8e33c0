"""No name, argument or default of the public interface changes unseen."""

import public_names

CURE = "meant to change? python tests/public_names.py --write, and tell users"


def test_public_names_and_defaults_are_what_they_were():
    was = public_names.FILE.read_text(encoding="utf-8").splitlines()
    now = public_names.lines()
    gone, new = sorted(set(was) - set(now)), sorted(set(now) - set(was))
    assert not gone and not new, f"{CURE}\n" + "\n".join(
        [f"was  {line}" for line in gone] + [f"now  {line}" for line in new]
    )
