"""Which tokens are listened to, on which sockets: the choice in words, and what Gamma makes of it."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from common.errors import BadAnswer
from common.records import BookUpdate, Quote, Status, Trade
from ingesters.feed import Checkpoint, Dial, Fetch, Recall, Resume, Send, Wake
from tests.clob_kit import MARKET, NO, START_MS, YES, Talk, book, change


def market(number, tokens=None, **more):
    tokens = tokens or (f"{number}" + "1" * 70, f"{number}" + "2" * 70)
    return {
        "id": str(number),
        "slug": f"market-{number}",
        "conditionId": f"0x{number:064x}",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": json.dumps(tokens),
        "closed": False,
    } | more


def page(*markets, following=None):
    return {"markets": list(markets)} | ({"next_cursor": following} if following else {})


def gamma_questions(steps):
    return [step for step in steps if isinstance(step, Fetch) and step.key.startswith("gamma:")]


def tokens_of(*numbers):
    return [f"{number}{last * 70}" for number in numbers for last in "12"]


def settled(words, *answers):
    """Return a talk whose questions to Gamma were answered."""
    talk = Talk(markets=words)
    for answer in answers:
        talk.hear(answer, reply_to=gamma_questions(talk.steps)[-1].key)
    return talk


def choose(talk, *words):
    """Let somebody choose markets while the feed runs; return what follows."""
    recall = talk.of(Recall)[-1]
    return talk.hear("\n".join(words).encode(), reply_to=recall.key)


def query(fetch):
    return parse_qs(urlsplit(fetch.url).query)


def test_tokens_need_no_question_to_gamma():
    talk = Talk(markets=(YES, NO))

    assert [] == gamma_questions(talk.steps)
    assert [{"assets_ids": [YES, NO], "type": "market", "custom_feature_enabled": True}] == talk.sent()


def test_a_socket_is_dialled_with_the_keep_alive_that_the_venue_wants():
    dial = Talk(markets=(YES,)).of(Dial)[0]

    assert ("wss://ws-subscriptions-clob.polymarket.com/ws/market", (b"PING", 10.0)) == (dial.url, dial.keep_alive)


def test_slugs_and_condition_ids_are_asked_for_by_name():
    condition = "0x" + "ab" * 32
    first, second = gamma_questions(Talk(markets=("who-wins", condition, "who-loses")).steps)

    assert ["who-wins", "who-loses"] == query(first)["slug"]
    assert [condition] == query(second)["condition_ids"]
    assert ["false"] == query(first)["closed"]


def test_nothing_is_subscribed_to_before_every_question_is_answered():
    talk = Talk(markets=("market-1", "0x" + "ab" * 32))
    first, second = gamma_questions(talk.steps)
    talk.hear(page(market(1)), reply_to=first.key)
    before = talk.sent()
    talk.hear(page(), reply_to=second.key)

    assert [] == before
    assert [tokens_of(1)] == [sent["assets_ids"] for sent in talk.sent()]


def test_the_largest_are_read_page_by_page_until_there_are_enough():
    talk = settled(("top:3",), page(market(1), market(2), following="c1"))
    question = gamma_questions(talk.steps)[-1]
    talk.hear(page(market(3), market(4), market(5)), reply_to=question.key)

    assert (["c1"], ["volumeNum"], ["false"]) == tuple(
        query(question)[name] for name in ("after_cursor", "order", "ascending")
    )
    assert [tokens_of(1, 2, 3)] == [sent["assets_ids"] for sent in talk.sent()]


def test_a_cursor_that_stands_still_is_no_answer():
    talk = settled(("top:200",), page(market(1), following="c1"))

    with pytest.raises(BadAnswer):
        talk.hear(page(market(2), following="c1"), reply_to=gamma_questions(talk.steps)[-1].key)


def again(talk, *answers):
    """Let Gamma be read again; return what follows."""
    wake = [step for step in talk.of(Wake) if step.key.startswith("gamma again")][-1]
    start = len(talk.steps)
    talk.hear(b"", reply_to=wake.key)
    for answer in answers:
        talk.hear(answer, reply_to=gamma_questions(talk.steps)[-1].key)
    return talk.steps[start:]


def test_a_new_market_among_the_largest_is_added_on_the_living_socket():
    talk = settled(("top:2",), page(market(1), market(2)))
    steps = again(talk, page(market(9), market(1), market(2)))

    assert [] == [step for step in steps if isinstance(step, Dial)]
    sent = [json.loads(step.payload) for step in steps if isinstance(step, Send)]
    assert [("subscribe", tokens_of(9))] == [(one["operation"], one["assets_ids"]) for one in sent]


def test_a_market_that_has_fallen_far_or_closed_goes():
    talk = settled(("top:2",), page(market(1), market(2)))
    steps = again(talk, page(market(7), market(8), market(9), market(1)))
    sent = [json.loads(step.payload) for step in steps if isinstance(step, Send)]

    assert [("unsubscribe", set(tokens_of(1, 2))), ("subscribe", set(tokens_of(7, 8)))] == [
        (one["operation"], set(one["assets_ids"])) for one in sent
    ]


def test_a_refused_question_takes_nothing_away_and_is_put_again_soon():
    talk = settled(("top:2",), page(market(1), market(2)))
    steps = again(talk)
    steps += talk.hear(b'{"error":"no"}', reply_to=gamma_questions(talk.steps)[-1].key, status=422)

    assert [] == [step for step in steps if isinstance(step, Send)]
    assert 30.0 == [step for step in steps if isinstance(step, Wake)][-1].after_s
    assert ["refused"] == [event.kind for event in talk.told("refused")]


def after_a_restart(talk, words):
    state = {name: text for step in talk.of(Checkpoint) for name, text in step.state.items()}
    return Talk(markets=words, resume=Resume(state=state))


def test_after_a_restart_the_same_choice_need_not_wait_for_gamma():
    talk = after_a_restart(settled(("top:1",), page(market(1, (YES, NO)))), ("top:1",))
    told = {"event_type": "last_trade_price", "asset_id": NO, "market": MARKET, "timestamp": str(START_MS)}
    talk.hear(told | {"price": "0.4", "size": "2", "side": "SELL", "fee_rate_bps": "0"})

    assert [[YES, NO]] == [sent["assets_ids"] for sent in talk.sent()]
    assert [("1", "No")] == [(trade.market_id, trade.outcome) for trade in talk.of(Trade)]
    assert 1 == len(gamma_questions(talk.steps))


def test_after_a_restart_another_choice_waits_for_gamma():
    talk = after_a_restart(settled(("top:1",), page(market(1))), ("top:2",))

    assert [] == talk.sent()


def test_a_choice_that_cannot_be_read_is_asked_for():
    talk = Talk(markets=("top:1",), resume=Resume(state={"polymarket_clob_tokens": "{"}))

    assert ([], 1) == (talk.sent(), len(gamma_questions(talk.steps)))


def test_what_still_comes_of_a_token_that_has_gone_is_not_stored():
    talk = Talk(markets=(YES,))
    choose(talk, NO)
    talk.tick()
    talk.hear(book())
    talk.hear(change("0.49", "1", "BUY", at_ms=START_MS))

    assert [] == talk.of(BookUpdate)


def test_a_name_that_no_open_market_has_is_told_once():
    talk = settled(("market-1",), page())
    again(talk, page())

    assert ["no open market is called market-1"] == [event.detail for event in talk.told("refused")]


def test_markets_that_are_not_sorted_by_volume_are_not_called_the_largest_in_silence():
    sorted_ones = settled(("top:2",), page(market(1, volume="9.5"), market(2, volume="9"), market(3)))
    others = settled(("top:2",), page(market(1, volume="9"), market(2, volume="70")))

    assert [] == sorted_ones.told("schema_change")
    assert ["Gamma sorts by volume no more: these are not the largest"] == [
        event.detail for event in others.told("schema_change")
    ]


def test_closed_and_unreadable_markets_are_left_out():
    talk = settled(("top:4",), page(market(1, closed=True), {"id": 7}, market(2, clobTokenIds="[]"), market(3)))

    assert [tokens_of(3)] == [sent["assets_ids"] for sent in talk.sent()]


def test_a_socket_takes_two_hundred_tokens():
    talk = Talk(markets=tuple(f"{number:077d}" for number in range(10**20, 10**20 + 450)))

    assert [("ws0", 200), ("ws1", 200), ("ws2", 50)] == [
        (step.wire, len(json.loads(step.payload)["assets_ids"])) for step in talk.of(Send)
    ]


def test_a_choice_while_running_is_followed_on_the_living_sockets():
    talk = Talk(markets=(YES,))
    steps = choose(talk, NO)
    talk.tick()
    sent = talk.sent()[1:]

    assert [] == [step for step in steps if isinstance(step, Dial)]
    assert [("unsubscribe", [YES]), ("subscribe", [NO])] == [(one["operation"], one["assets_ids"]) for one in sent]


def test_the_same_choice_again_changes_nothing():
    talk = Talk(markets=(YES, NO))
    choose(talk, NO, YES)
    talk.tick()

    assert 1 == len(talk.sent())


def test_both_tokens_in_one_message_are_told_once_when_their_sockets_differ():
    tokens = [f"{number:077d}" for number in range(10**20, 10**20 + 199)]
    talk = Talk(markets=(*tokens, YES, NO))
    both = change("0.49", "1", "BUY", at_ms=START_MS)
    both["price_changes"].append(both["price_changes"][0] | {"asset_id": NO, "side": "SELL"})
    for wire in ("ws0", "ws1"):
        talk.hear(both, wire=wire)

    assert [YES, NO] == [update.symbol for update in talk.of(BookUpdate)]


def test_of_a_token_chosen_without_the_other_one_of_its_market_nothing_else_is_stored():
    talk = Talk(markets=(YES,))
    talk.hear(book(YES))
    both = change("0.49", "5", "BUY", at_ms=START_MS + 1, best=("0.49", "0.52"))
    both["price_changes"] += change("0.51", "5", "SELL", at_ms=START_MS + 1, token=NO)["price_changes"]
    talk.hear(both)
    talk.pass_time(3)

    assert {YES} == {update.symbol for update in talk.of(BookUpdate)}
    assert [] == talk.told("gap", "stale")


def test_news_of_all_markets_is_told_once_however_many_sockets_bring_it():
    talk = Talk()
    news = {"event_type": "new_market", "market": MARKET, "assets_ids": [YES, NO], "timestamp": str(START_MS)}
    for wire in ("ws0", "ws1"):
        talk.hear(news, wire=wire)

    assert [YES, NO] == [status.symbol for status in talk.of(Status)]


def test_a_trade_names_its_market_and_outcome():
    talk = settled(("market-1",), page(market(1, (YES, NO))))
    told = {"event_type": "last_trade_price", "asset_id": NO, "market": MARKET, "timestamp": str(START_MS)}
    talk.hear(told | {"price": "0.4", "size": "2", "side": "SELL", "fee_rate_bps": "0"})

    assert [("1", "No")] == [(trade.market_id, trade.outcome) for trade in talk.of(Trade)]


def test_best_prices_come_with_the_sizes_of_our_book():
    talk = Talk()
    talk.hear(book())
    best = {"event_type": "best_bid_ask", "market": MARKET, "asset_id": YES, "timestamp": str(START_MS)}
    talk.hear(best | {"best_bid": "0.480", "best_ask": "0.53", "spread": "0.05"})
    quote = talk.of(Quote)[0]

    assert ("0.480", "30", "0.53", "0") == (quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size)
