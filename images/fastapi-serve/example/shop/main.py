"""Prices, and what an order of them costs."""

import fastapi
import humanize
import prometheus_client
import pydantic

PRICES = {"cup": 8, "tea": 3}
ORDERS = prometheus_client.Counter("shop_orders", "Orders taken")

app = fastapi.FastAPI(title="shop")
app.mount("/metrics", prometheus_client.make_asgi_app())


class Order(pydantic.BaseModel):
    product: str
    quantity: pydantic.PositiveInt


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/orders")
async def order(order: Order) -> dict[str, int | str]:
    if order.product not in PRICES:
        raise fastapi.HTTPException(404, f"no {order.product} here")
    ORDERS.inc()
    price = PRICES[order.product] * order.quantity
    return {"price": price, "shown": humanize.intcomma(price)}
