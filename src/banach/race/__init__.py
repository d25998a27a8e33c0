"""Races: everything applicable on one problem, judged by one check."""

from banach.race.race import Race as Race
from banach.race.race import race as race
