"""A scheduler and a worker of the project's image compute with the project's code."""

import subprocess

import dask.dataframe
import pandas
from distributed import Client
from shop.sales import revenue

orders = pandas.DataFrame({"product": ["tea", "cup"] * 50, "price": [3, 8] * 50, "quantity": range(100)})
scheduler = subprocess.Popen(["dask-scheduler", "--host", "127.0.0.1"])
worker = subprocess.Popen(["dask-worker", "tcp://127.0.0.1:8786", "--nthreads", "1"])
try:
    with Client("tcp://127.0.0.1:8786", timeout=30) as client:
        client.wait_for_workers(1, timeout=30)
        parts = dask.dataframe.from_pandas(orders, npartitions=5).to_delayed()
        # Functions travel by the name of their module, which the worker has to find.
        found = sum(client.gather(client.map(revenue, client.compute(parts))))
    assert found.to_dict() == revenue(orders).to_dict() == {"tea": 3 * 2450, "cup": 8 * 2500}, found
finally:
    for process in (worker, scheduler):
        process.terminate()
        process.wait(timeout=20)
print("ok")
