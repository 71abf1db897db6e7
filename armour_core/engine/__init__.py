"""Runs an attack over data: batches, survivors, eps sweeps, budgets, re-checks.

From the inside out: problem.py says what is asked, as a value. view.py is the same as an attack sees it within one
step: asking, through send.py, and books.py, where every asking is booked and the best candidate kept. code.py puts both
into the form that backends compile. driver.py runs rounds of chunks of steps over one batch; rows.py takes rows out and
puts them back, pace.py says when; settle.py and verdict.py measure, round and judge what comes back. run.py loops over
eps, stages and batches of a data set; evaluate.py joins several attacks, and scan.py runs probes.
"""
