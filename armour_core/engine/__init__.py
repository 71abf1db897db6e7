"""Runs an attack over data: batches, survivors, eps sweeps, budgets, re-checks.

problem.py  what is asked, as a value; view.py  the same as an attack sees it within one step, where all asking is
counted and the best candidate kept; driver.py  rounds of chunks of steps over one batch; settle.py  what comes back is
measured and rounded into the ball; run.py  eps, stages and batches over a whole data set; evaluate.py, scan.py above.
"""
