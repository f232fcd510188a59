"""Each kind of message to its reader."""

from collections.abc import Callable

from common.records import Record
from ingesters.venues import alpaca_records as records
from ingesters.venues import alpaca_wire as wire
from ingesters.venues.alpaca_codec import Codec

READERS: dict[type[wire.Message], Callable[..., Record]] = {
    wire.TradeMessage: lambda message, received_ns, codec: records.trade(message, message.S, received_ns, codec),
    wire.QuoteMessage: records.quote,
    wire.BarMessage: lambda message, received_ns, codec: records.bar(message, message.S, received_ns, codec),
    wire.UpdatedBarMessage: lambda message, received_ns, codec: records.bar(message, message.S, received_ns, codec),
    wire.DailyBarMessage: lambda message, received_ns, codec: records.bar(message, message.S, received_ns, codec),
    wire.CorrectionMessage: records.correction,
    wire.CancelMessage: records.cancel,
    wire.StatusMessage: records.trading_status,
    wire.LuldMessage: records.price_band,
    wire.ImbalanceMessage: records.imbalance,
    wire.BookMessage: records.book,
}


def meaning(message: wire.Message, received_ns: int, codec: Codec) -> Record | wire.Message:
    """Return the record that a message makes, the message itself if it is about the session; raise ValueError."""
    read = READERS.get(type(message))
    return message if read is None else read(message, received_ns, codec)
