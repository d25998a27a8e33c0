"""Races: everything applicable on one problem, judged by one check."""

from banach.racing.race import Race as Race
from banach.racing.race import race as race
