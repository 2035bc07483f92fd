"""Shows that the image serves; a project puts its own app in its place."""

import fastapi
import prometheus_client

app = fastapi.FastAPI(title="fastapi-serve demo")
app.mount("/metrics", prometheus_client.make_asgi_app())


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
