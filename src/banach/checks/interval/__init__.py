"""Rigorous enclosures: interval evaluation of JAX functions, and Krawczyk's test."""

from banach.checks.interval import elementwise as elementwise
from banach.checks.interval import moves as moves
from banach.checks.interval import sums as sums
from banach.checks.interval.arithmetic import Interval as Interval
from banach.checks.interval.evaluate import NoEnclosure as NoEnclosure
from banach.checks.interval.evaluate import eval_jaxpr_interval as eval_jaxpr_interval
from banach.checks.interval.function import interval_function as interval_function
from banach.checks.interval.krawczyk import Enclosure as Enclosure
from banach.checks.interval.krawczyk import krawczyk as krawczyk
