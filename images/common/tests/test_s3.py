"""An image whose libraries read tables reads them from S3, too."""

import importlib.util
import subprocess
import sys

import pytest

sys.path.append("/images/common")
import s3  # noqa: E402

ORDERS = b"product,amount\ntea,40\ncup,2\n"

# What each prints of a file of S3: 42.
READERS = {
    "pandas": "import pandas; print(pandas.read_csv('s3://shop/orders.csv').amount.sum())",
    "pyarrow": (
        "import fsspec, pandas\n"
        "with fsspec.open('s3://shop/orders.parquet', 'wb') as file:\n"
        "    pandas.read_csv('s3://shop/orders.csv').to_parquet(file)\n"
        "print(pandas.read_parquet('s3://shop/orders.parquet').amount.sum())"
    ),
    "dask": (
        "import dask.dataframe\n"
        "print(dask.dataframe.read_csv('s3://shop/orders*.csv').amount.sum().compute(scheduler='threads'))"
    ),
    "datasets": (
        "import datasets\n"
        "data = datasets.load_dataset('csv', data_files='s3://shop/orders.csv', split='train', cache_dir='/tmp/s3-cache')\n"
        "print(sum(data['amount']))"
    ),
}


@pytest.mark.parametrize("library", READERS)
def test_tables_are_read_from_s3(library):
    if not importlib.util.find_spec(library):
        pytest.skip(f"no {library} here")
    with s3.serve() as objects:
        objects["/shop/orders.csv"] = ORDERS
        done = subprocess.run([sys.executable, "-c", READERS[library]], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "42"
