"""An app with the behaviours that the suite needs; started by test_serve.py."""

import asyncio
import contextlib
import logging
import os
from typing import Annotated

import fastapi
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware


@contextlib.asynccontextmanager
async def lifespan(_):
    await asyncio.sleep(float(os.environ.get("PROBE_START", "0")))
    if os.environ.get("PROBE_FAIL"):
        raise RuntimeError("the probe fails to start, as it was told to")
    yield
    print("probe: cleaned up")


app = fastapi.FastAPI(lifespan=lifespan)
if os.environ.get("PROBE_HTTPS"):
    app.add_middleware(HTTPSRedirectMiddleware)
if os.environ.get("PROBE_HOST"):
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[os.environ["PROBE_HOST"]])


@app.get("/health")
async def health():
    return {"loop": type(asyncio.get_running_loop()).__module__}


@app.post("/upload")
async def upload(title: Annotated[str, fastapi.Form()], file: fastapi.UploadFile):
    return {"title": title, "name": file.filename, "size": len(await file.read())}


@app.get("/broken")
async def broken():
    raise RuntimeError("the probe fails, as it was told to")


@app.get("/log")
async def log(word: str):
    logging.getLogger("shop").warning("sold\n“%s”", word, extra={"order": 5})


@app.get("/client")
async def client(request: fastapi.Request):
    return [request.client.host, request.url.scheme]


@app.get("/slow")
async def slow(seconds: float):
    print("probe: slow request in flight")
    await asyncio.sleep(seconds)
    return {"slept": seconds}


@app.get("/work")
async def work(number: int):
    print(f"probe: began {number}.")
    # Never the same for all, so that some are at the beginning and some at the end whenever the signal comes; and
    # more than a socket takes at once, so that some are being sent.
    await asyncio.sleep(number % 7 / 20)
    return {"number": number, "padding": "x" * 3_000_000 if number % 5 == 0 else ""}
