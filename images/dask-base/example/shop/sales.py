"""What the project computes, a part at a time."""


def revenue(orders):
    """Of a part of the orders, by product."""
    return (orders.price * orders.quantity).groupby(orders["product"]).sum()
