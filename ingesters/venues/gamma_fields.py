"""
The names of all fields that Gamma's markets were ever seen with, or are documented with; most we do not keep.

What a market holds in inner objects (its events, rewards and tags) belongs to others and is not listed.
https://docs.polymarket.com/api-reference/markets/list-markets-keyset-pagination leaves out a third of them.
"""

_WHAT = """
    $schema id question conditionId questionID slug pastSlugs description outcomes shortOutcomes clobTokenIds
    category subcategory categories tags events markets marketGroup marketType formatType marketMetadata
    groupItemTitle groupItemThreshold groupItemRange creator createdBy updatedBy submitted_by
"""
_STATE = """
    active closed archived new featured restricted approved ready funded cyom hasReviewedDates commentsEnabled
    enableOrderBook acceptingOrders acceptingOrdersTimestamp acceptingOrdersUntil clearBookOnStart
    automaticallyActive manualActivation automaticallyResolved pendingDeployment deploying deployingTimestamp
    scheduledDeploymentTimestamp readyTimestamp fundedTimestamp readyForCron rfqEnabled requiresTranslation
    notificationsEnabled pagerDutyNotificationEnabled internalUsers
"""
_TIMES = "createdAt updatedAt startDate startDateIso endDate endDateIso eventStartTime closedTime"
_TRADING = """
    orderPriceMinTickSize orderMinSize secondsDelay spread bestBid bestAsk lastTradePrice outcomePrices competitive
    oneHourPriceChange oneDayPriceChange oneWeekPriceChange oneMonthPriceChange oneYearPriceChange
    liquidity liquidityNum liquidityAmm liquidityClob
    volume volumeNum volume24hr volume1wk volume1mo volume1yr
    volumeAmm volume24hrAmm volume1wkAmm volume1moAmm volume1yrAmm
    volumeClob volume24hrClob volume1wkClob volume1moClob volume1yrClob
"""
_FEES = """
    fee feeType feeRate feeExponent feeSchedule feesEnabled makerBaseFee takerBaseFee makerRebatesFeeShareBps
    clobRewards rewardsMinSize rewardsMaxSpread holdingRewardsEnabled
"""
_RESOLUTION = """
    resolutionSource resolvedBy resolutionStatus customLiveness umaBond umaReward umaEndDate umaEndDateIso
    umaResolutionStatus umaResolutionStatuses negRisk negRiskOther negRiskMarketID negRiskRequestID
"""
_SECOND_PROTOCOL = "version positionIds onchainEventId requestId comboStatus cryptoMarketConfig cryptoMarketConfigId"
_SPORTS = "gameId gameStartTime sportsMarketType line teamAID teamBID"
_FIRST_YEARS = """
    ammType marketMakerAddress denominationToken fpmmLive wideFormat curationOrder score
    lowerBound upperBound lowerBoundDate upperBoundDate xAxisValue yAxisValue
    sponsorName sponsorImage disqusThread mailchimpTag categoryMailchimpTag sentDiscord
    twitterCardImage twitterCardLocation twitterCardLastRefreshed twitterCardLastValidated
"""
_LOOKS = "image icon imageOptimized iconOptimized chartColor seriesColor showGmpSeries showGmpOutcome"

_PARTS = (_WHAT, _STATE, _TIMES, _TRADING, _FEES, _RESOLUTION, _SECOND_PROTOCOL, _SPORTS, _FIRST_YEARS, _LOOKS)

MARKET = frozenset(name for part in _PARTS for name in part.split())
PAGE = frozenset(("$schema", "markets", "next_cursor"))
