"""A small shop with Flask: pages that cost differently, for looking at their profile."""

import shop
from flask import Flask, jsonify, render_template, request

try:
    import cloudprofiler  # built into a uWSGI that loads the plugin
except ImportError:
    cloudprofiler = None

app = Flask(__name__)
app.jinja_env.filters["price"] = shop.format_price

CATALOGUE = shop.make_catalogue()
SALES = shop.make_sales(CATALOGUE)


@app.before_request
def tag_profile():
    """Says in the profile which route the time of this request goes to."""
    if cloudprofiler and request.url_rule:
        cloudprofiler.set_tag("route", request.url_rule.rule)


@app.get("/")
def home():
    return render_template("products.html", title="Bargains", products=shop.cheapest(CATALOGUE, 40))


@app.get("/search")
def search():
    words = request.args.get("q", "red lamp").split()[:5]
    products = shop.search(CATALOGUE, words)
    return render_template("products.html", title=" ".join(words), products=products[:20])


@app.get("/cart")
def cart():
    numbers = [int(each) for each in request.args.getlist("product") if each.isdigit()][:50]
    return jsonify(shop.priced_cart(CATALOGUE, numbers))


@app.get("/report")
def report():
    cities, products = shop.sales_report(SALES)
    return render_template("report.html", cities=cities, products=products)


@app.get("/health")
def health():
    return "ok\n"
