"""Orders that move, and their users who watch them move."""

import tocsin
from backend.models import Order, User, db
from backend.services.notifications import notify_delivery_confirmed, notify_order_updated, notify_shipment_update

STEPS = ("placed", "packed", "shipped", "out_for_delivery", "delivered")
CATALOG = {
    "teapot": {"en": "Celadon teapot", "ko": "청자 찻주전자"},
    "stool": {"en": "Walnut stool", "ko": "호두나무 스툴"},
    "lamp": {"en": "Paper lamp", "ko": "한지 조명"},
}
PLACES = {
    "shipped": {"en": "Icheon depot", "ko": "이천 물류센터"},
    "out_for_delivery": {"en": "Mapo-gu, Seoul", "ko": "서울 마포구"},
}


def place_order(user: User, sku: str) -> Order:
    """Take an order; KeyError for something that is not sold."""
    order = Order(user_id=user.id, item=CATALOG[sku][user.lang], status=STEPS[0])
    db.session.add(order)
    db.session.flush()
    _tell(user, order)
    return order


def advance_order(user: User, order_id: int) -> Order | None:
    """Move an order one step on; None where the user has no such order or it has arrived."""
    order = db.session.scalar(db.select(Order).filter_by(id=order_id, user_id=user.id))
    if order is None or order.status == STEPS[-1]:
        return None
    step = STEPS[STEPS.index(order.status) + 1]
    # Of two who press at once one moves the order: the other finds its status changed.
    moved = db.update(Order).filter_by(id=order.id, status=order.status)
    place = PLACES.get(step, {}).get(user.lang)
    if db.session.execute(moved.values(status=step, location=place)).rowcount == 0:
        db.session.rollback()
        return None
    db.session.refresh(order)
    _tell(user, order)
    return order


def _tell(user: User, order: Order) -> None:
    """
    Commit the order and its event together, then put a notification into the inbox.

    The guide's ``broadcast_order_event`` would do as well; ``publish_in`` makes the
    event part of the order's own transaction: there is never one without the other.
    """
    if order.status in PLACES:
        event = "shipment_update"
    else:
        event = "delivery_confirmed" if order.status == STEPS[-1] else "order_updated"
    tocsin.publish_in(db.session, "/orders", event, user.id, order.to_dict())
    db.session.commit()

    if order.status in PLACES:
        notify_shipment_update(user.id, order.id, order.location, order.status, **order.parcel, lang=user.lang)
    elif order.status == STEPS[-1]:
        notify_delivery_confirmed(user.id, order.id, lang=user.lang)
    else:
        notify_order_updated(user.id, order.id, order.status, lang=user.lang)
