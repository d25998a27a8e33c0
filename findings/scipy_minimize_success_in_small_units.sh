#!/usr/bin/env bash
# scipy 1.17.1, numpy 2.4.6.
#
# Behaviour: scipy.optimize.minimize, by its default for smooth functions, reports
# success at a point that is wrong by a factor of two, where the objective is a sum of
# squares of small numbers: its test is an absolute one, |gradient| <= 1e-5. Data:
# NIST's Misra1a (volumes in ml, 14 points, two parameters), the same numbers in m^3.
#
# One would guess: the units of the data change the digits of the answer, not whether it
# is one; or the message says that the test was met at once.
# Seen: NIST's certified volume is 238.9. In ml it ends at 240.1 and says success False,
# precision loss. In m^3 it says "Optimization terminated successfully", success True, at
# 518.0 (as ml), without a warning. curve_fit, whose tests are relative, gives 238.9 in
# both.
set -eu
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    scipy==1.17.1 numpy==2.4.6
cd "$folder"
cat >ask.py <<'PY'
import numpy as np
from scipy.optimize import curve_fit, minimize

pressure = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8,
                     477.3, 536.8, 593.1, 689.1, 760.0])
ml = np.array([10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05,
               61.01, 66.40, 75.47, 81.78])


def model(p, size, rate):
    return size * (1 - np.exp(-rate * p))


for unit, name in ((1.0, "ml"), (1e-6, "m^3")):
    volume, start = unit * ml, [unit * 500, 1e-4]
    found = minimize(lambda b: np.sum((model(pressure, *b) - volume) ** 2), start)
    fitted = curve_fit(model, pressure, volume, start)[0]
    print(name, found.success, f"{found.x[0] / unit:.1f}", f"{fitted[0] / unit:.1f}")
PY
env/bin/python ask.py | tee said
cat >want <<'TEXT'
ml False 240.1 238.9
m^3 True 518.0 238.9
TEXT
diff said want
