"""kubeflow-data-science: a notebook from CSV to plot, SQL into data frames, a Dask cluster of one's own."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def flats():
    generator = np.random.default_rng(0)
    area = generator.uniform(20, 120, 200)
    district = generator.choice(["east", "west"], 200)
    rent = 12 * area + 150 * (district == "west") + generator.normal(0, 20, 200)
    return pd.DataFrame({"area": area, "district": district, "rent": rent})


@pytest.fixture(scope="module")
def executed(flats, tmp_path_factory):
    """The folder in which flats.ipynb was executed, the way a job does it."""
    folder = tmp_path_factory.mktemp("executed")
    flats.to_csv(folder / "flats.csv", index=False)
    shutil.copy(Path(__file__).with_name("flats.ipynb"), folder)
    command = [sys.executable, "-m", "nbconvert", "--execute", "--inplace", "--to", "notebook", "flats.ipynb"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def outputs(executed):
    """What each cell of it shows: by type."""
    cells = json.loads((executed / "flats.ipynb").read_text())["cells"]
    shown = {cell["id"]: [output.get("data", {}) for output in cell.get("outputs", [])] for cell in cells}
    return {cell: {kind: data[kind] for data in datas for kind in data} for cell, datas in shown.items()}


def test_a_notebook_trains_a_model(executed, outputs):
    import joblib

    assert float("".join(outputs["train"]["text/plain"])) > 0.95
    # The very truth that the data was made of.
    model = joblib.load(executed / "model.joblib")
    small, large, west = model.predict(pd.DataFrame({"area": [50, 60, 50], "district": ["east", "east", "west"]}))
    assert large - small == pytest.approx(120, rel=0.05)
    assert west - small == pytest.approx(150, rel=0.1)


def test_a_notebook_shows_and_saves_plots(executed, outputs):
    import matplotlib.image

    picture = matplotlib.image.imread(executed / "flats.png")
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 10, "a blank page"
    assert outputs["save"]["image/png"]
    assert outputs["interact"]["application/vnd.plotly.v1+json"]["data"]
    assert "application/vnd.jupyter.widget-view+json" in outputs["widget"]


def test_the_page_can_show_them():
    listed = subprocess.run(["jupyter", "labextension", "list"], check=True, capture_output=True, text=True)
    lines = (listed.stdout + listed.stderr).splitlines()
    shown = {line.split()[0] for line in lines if "enabled" in line and "OK" in line}
    assert {"jupyterlab-plotly", "@jupyter-widgets/jupyterlab-manager"} <= shown


PLOT = "import matplotlib.pyplot as plt; print(plt.rcParams['lines.linewidth']); plt.plot([1, 2]); plt.savefig({!r})"


@pytest.mark.parametrize("mode", [0o755, 0o555], ids=["empty", "read-only"])
def test_a_plot_needs_no_home(tmp_path, mode):
    """MPLCONFIGDIR isn't set: a kept font cache saves a blink, and a person's own settings would be lost."""
    home = tmp_path / "home"
    home.mkdir(mode=mode)
    plot = tmp_path / "plot.png"
    environment = {**os.environ, "HOME": str(home)}
    subprocess.run([sys.executable, "-c", PLOT.format(str(plot))], check=True, env=environment, timeout=60)
    assert plot.stat().st_size > 1000


def test_plots_are_in_a_person_s_own_style(tmp_path):
    settings = tmp_path / ".config/matplotlib/matplotlibrc"
    settings.parent.mkdir(parents=True)
    settings.write_text("lines.linewidth: 7\n")
    command = [sys.executable, "-c", PLOT.format(str(tmp_path / "plot.png"))]
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.strip() == "7.0"


def test_a_database_is_read_into_a_data_frame(flats, tmp_path):
    import sqlalchemy

    with sqlite3.connect(tmp_path / "flats.db") as connection:
        flats.to_sql("flats", connection, index=False)
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/flats.db")
    question = sqlalchemy.text("SELECT district, count(*) AS flats FROM flats WHERE area > :area GROUP BY district")
    answer = pd.read_sql(question, engine, params={"area": 100}, index_col="district")
    assert answer["flats"].to_dict() == flats[flats["area"] > 100].groupby("district").size().to_dict()


def test_postgresql_has_its_driver():
    """Of its own, libpq included; a server is asked only as far as there is none."""
    import sqlalchemy

    engine = sqlalchemy.create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(sqlalchemy.exc.OperationalError, match="refused"):
        engine.connect()


def test_files_and_data_frames_are_asked_in_sql(flats, tmp_path):
    import duckdb

    flats.to_parquet(tmp_path / "flats.parquet")
    wanted = flats.groupby("district")["rent"].mean().to_dict()
    for source in ("flats", f"'{tmp_path}/flats.parquet'"):
        answer = duckdb.sql(f"SELECT district, avg(rent) AS rent FROM {source} GROUP BY district").df()
        assert answer.set_index("district")["rent"].to_dict() == pytest.approx(wanted)


def test_a_regression_is_explained(flats):
    import statsmodels.formula.api as smf

    fit = smf.ols("rent ~ area + district", flats).fit()
    low, high = fit.conf_int().loc["area"]
    assert low < 12 < high and fit.pvalues["district[T.west]"] < 0.001


def test_a_dask_cluster_of_one_s_own_computes(flats, tmp_path):
    """Workers are processes of their own, as a cluster's are: what goes there and back is packed and unpacked."""
    for part, frame in flats.groupby(flats.index % 4):
        frame.to_csv(tmp_path / f"{part}.csv", index=False)
    script = f"""
import dask.dataframe as dd
from distributed import Client, get_worker

if __name__ == "__main__":
    with Client(n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        means = dd.read_csv("{tmp_path}/*.csv").groupby("district")["rent"].mean().compute()
        print(means.round(6).to_json(), client.submit(lambda: get_worker().address.split(":")[0]).result())
"""
    (tmp_path / "job.py").write_text(script)
    done = subprocess.run([sys.executable, tmp_path / "job.py"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    means, transport = done.stdout.split()
    assert json.loads(means) == pytest.approx(flats.groupby("district")["rent"].mean().to_dict(), abs=1e-5)
    assert transport == "tcp"


def test_spreadsheets_and_web_pages_are_tables(tmp_path, flats):
    flats.to_excel(tmp_path / "flats.xlsx", index=False)
    pd.testing.assert_frame_equal(pd.read_excel(tmp_path / "flats.xlsx"), flats)
    flats.to_html(tmp_path / "flats.html", index=False)
    (table,) = pd.read_html(tmp_path / "flats.html")
    assert table.shape == flats.shape
