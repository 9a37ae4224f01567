"""The shop's own work, apart from HTTP: a made-up catalogue, search, prices, a sales report."""

import hashlib
import json
import random
import re
from collections import defaultdict
from dataclasses import dataclass

ADJECTIVES = "red blue small large light heavy soft solid plain royal quiet bright".split()
THINGS = "lamp chair table kettle basket mirror carpet pillow bottle shelf clock vase".split()
CITIES = "Zürich Genève Basel Bern Lugano Luzern Sion Chur".split()


@dataclass(frozen=True)
class Product:
    number: int
    name: str
    price_cents: int
    description: str


@dataclass(frozen=True)
class Sale:
    product: Product
    city: str
    pieces: int


def make_catalogue(size=400, seed=7):
    """The same catalogue at every start: the profile of one run compares with the next."""
    source = random.Random(seed)
    return [make_product(number, source) for number in range(size)]


def make_product(number, source):
    words = [source.choice(ADJECTIVES) for _ in range(12)]
    name = f"{words[0]} {words[1]} {source.choice(THINGS)}"
    return Product(number, name, source.randrange(300, 90000), f"A {name}: " + ", ".join(words))


def make_sales(catalogue, count=8000, seed=11):
    source = random.Random(seed)
    return [
        Sale(source.choice(catalogue), source.choice(CITIES), source.randrange(1, 5))
        for _ in range(count)
    ]


def search(catalogue, words):
    """Products that contain all words, best match first."""
    patterns = [re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE) for word in words]
    scored = [(relevance(product, patterns), product) for product in catalogue]
    found = [(score, product) for score, product in scored if score > 0]
    found.sort(key=lambda pair: (-pair[0], pair[1].price_cents))
    return [product for _, product in found]


def relevance(product, patterns):
    hits = [len(pattern.findall(product.description)) for pattern in patterns]
    return sum(hits) if all(hits) else 0


def cheapest(catalogue, count):
    return sorted(catalogue, key=lambda product: (product.price_cents, product.name))[:count]


def priced_cart(catalogue, numbers):
    """The cart as JSON, with a checksum that the check-out would verify."""
    lines = [catalogue[number % len(catalogue)] for number in numbers]
    cart = {
        "lines": [{"name": line.name, "price": format_price(line.price_cents)} for line in lines],
        "total": format_price(sum(line.price_cents for line in lines)),
    }
    text = json.dumps(cart, sort_keys=True)
    return {**cart, "checksum": checksum(text)}


def checksum(text):
    digest = text.encode()
    for _ in range(150):
        digest = hashlib.sha256(digest).digest()
    return digest.hex()


def format_price(cents):
    return f"CHF {cents // 100}.{cents % 100:02d}"


def sales_report(sales):
    """Turnover by city and by product name: the slow page of the shop."""
    by_city = defaultdict(int)
    by_product = defaultdict(int)
    for sale in sales:
        turnover = sale_turnover(sale)
        by_city[sale.city] += turnover
        by_product[sale.product.name] += turnover
    return ranking(by_city), ranking(by_product)[:10]


def sale_turnover(sale):
    discount_percent = 10 if sale.pieces >= 3 else 0
    return sale.product.price_cents * sale.pieces * (100 - discount_percent) // 100


def ranking(turnover):
    return sorted(turnover.items(), key=lambda pair: pair[1], reverse=True)
