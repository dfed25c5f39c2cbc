//! Each line of a table is `expected | line`, where expected is `symbol decision confidence level`, `-` for none.

use proptest::prelude::*;

use super::{Level, NormaliseConfig, Normalised, Normaliser, Scratch};

fn normaliser() -> Normaliser {
    let quote_currencies = ["USDT", "USDC", "FDUSD", "TUSD", "BUSD"].map(String::from).into();
    Normaliser::new(&NormaliseConfig { quote_currencies })
}

fn told(got: &Normalised<'_>) -> String {
    format!(
        "{} {} {} {}",
        got.symbol.unwrap_or("-"),
        got.decision.map_or("-".into(), |decision| decision.to_string()),
        got.confidence.map_or("-".into(), |confidence| format!("{:.4}", confidence).trim_end_matches('0').to_string()),
        got.level.map_or("-", |level| level.name()),
    )
}

/// Checks every line of a table and reports all that differ.
fn check(table: &str) {
    let normaliser = normaliser();
    let mut scratch = Scratch::default();
    let mut wrong = Vec::new();
    for row in table.lines().filter(|row| !row.trim().is_empty()) {
        let Some((expect, line)) = row.split_once(" | ") else { panic!("not `expected | line`: {row}") };
        let got = told(&normaliser.normalise(line, &mut scratch));
        if got != expect.trim() {
            wrong.push(format!("{line}\n    got {got}, expected {expect}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn symbols() {
    check(
        r#"
ARBUSDT - - - | Fetched 500 candles of ARBUSDT
7USDT - - - | Now watching 7USDT
1000FLOKIUSDC - - - | Subscribed to 1000FLOKIUSDC
狗狗币USDT - - - | listing 狗狗币USDT today
DOTUSDT - - - | GET https://fapi.example.com/fapi/v1/klines?symbol=DOTUSDT&interval=5m
DOTUSDT - - - | stream quantum:state:DOTUSDT refreshed
linkusdt - - - | wss://fstream.example.com/ws/linkusdt@kline_1m connected
NEARUSDT - - - | {'exchange': 'okx', 'symbol': 'NEARUSDT', 'price': 4.2}
NEARUSDT - - - | {b'symbol': b'NEARUSDT', b'open': b'4.2'}
AVAXUSDT - - - | wrote /data/models/lgbm_AVAXUSDT_v7.pkl
BTC/USDT - - - | ccxt ticker BTC/USDT: 64000.5
ETH-USDC - - - | okx book ETH-USDC synced
USDCUSDT - - - | peg USDCUSDT 0.9998
- - - - | Wallet: 1520.33 USDT free, 12 USDC locked
- - - - | spent 50USDT on fees, 12.5USDT left
- - - - | MAX_ORDER_USDT=250 and notional_usdt: 40, sizeUSDT 3
- - - - | stablecoins USDT/USDC are skipped
- - - - | Universe: LTCUSDT, XLMUSDT, TRXUSDT
- - - - | correlation LTCUSDT vs XLMUSDT = 0.83
LTCUSDT - - - | [LTCUSDT] moves with XLMUSDT and TRXUSDT
LTCUSDT - - - | symbol=LTCUSDT hedge basket XLMUSDT TRXUSDT
LTCUSDT - - - | LTCUSDT opened, LTCUSDT leverage 3x
LTCUSDT - - - | LTCUSDT_PERP funding due
- - - - | symbols=['AAVEUSDT', 'UNIUSDT'] signal BUY confidence=0.8
"#,
    );
}

#[test]
fn decisions() {
    check(
        r#"
SUIUSDT BUY - - | New trade.intent for SUIUSDT: BUY, size $250
SUIUSDT SELL - - | order rejected: SUIUSDT SELL qty=12 (MIN_NOTIONAL)
SUIUSDT BUY - - | Blocked by governor: SUIUSDT BUY
SUIUSDT BUY - - | side=buy symbol=SUIUSDT type=LIMIT price=1.2
SUIUSDT SELL - - | {"symbol": "SUIUSDT", "side": "sell", "quantity": 4}
SUIUSDT BUY - - | SUIUSDT side=OrderSide.BUY qty=4
SUIUSDT HOLD - - | [MONITOR] SUIUSDT: HOLD, R=1.2, no exit signal
SUIUSDT HOLD - - | SUIUSDT BUY→HOLD (cooldown)
SUIUSDT HOLD - - | SUIUSDT override: SELL -> HOLD
- BUY - - | Consensus reached: BUY (3/4 models)
- SELL - - | 2026-05-01 10:00:00 final decision=SELL after vote
SUIUSDT HOLD - - | ENSEMBLE SUIUSDT HOLD | xgb=BUY lgbm=SELL nhits=HOLD tft=HOLD
SUIUSDT HOLD - - | SUIUSDT signal=BUY action=HOLD reason=cooldown
SUIUSDT SELL - - | Sell signal for SUIUSDT
SUIUSDT BUY - - | SUIUSDT STRONG_BUY from the brain
SUIUSDT - - - | SUIUSDT votes XGB:BUY LGBM:SELL TFT:HOLD
SUIUSDT - - - | SUIUSDT votes {'xgb': 'BUY', 'lgbm': 'BUY'}
SUIUSDT BUY 0.61 - | XGB: BUY 0.61 on SUIUSDT
- - - - | Last hour: BUY=4 SELL=0 HOLD=211
- - - - | distribution {'BUY': 0.1, 'SELL': 0.2, 'HOLD': 0.7}
- - - - | tally 3 BUY, 1 SELL, 0 HOLD
- - - - | one of BUY/SELL/HOLD expected
- - - - | side must be BUY or SELL
- - - - | HOLD lease renewed for 30s
- - - - | min hold time 300s, hold=4, hold_suppressed=2
- - - - | threshold for holders, is_buyer_maker=true
- - - - | no BUY signal this cycle
- - - - | BUY signals: 3, SELL signals: 8
- - - - | HOLD rate 94.9% over 24h
- - - - | do not sell here, buyers are strong
SUIUSDT - - - | [DRY] SUIUSDT EXECUTE → SKIP (score 0.4)
SUIUSDT - - - | SUIUSDT action=PARTIAL_50
SUIUSDT - - - | Opened LONG SUIUSDT 3x
SUIUSDT - - - | position SUIUSDT side=SHORT size=40
SUIUSDT - - - | CLOSE SUIUSDT SELL 40 @ market
SUIUSDT - - - | Closing SUIUSDT long: SELL qty=40
SUIUSDT - - - | Sending SUIUSDT BUY 40 reduceOnly=true
SUIUSDT SELL - - | Sending SUIUSDT SELL 40 reduceOnly=False
SUIUSDT - - - | {'symbol': 'SUIUSDT', 'side': 'SELL', 'reduceOnly': 'true'}
SUIUSDT - - - | Take-profit for SUIUSDT: SELL 10 @ 1.40
SUIUSDT - - - | TP1 hit SUIUSDT SELL 25%
SUIUSDT - - - | SUIUSDT SELL type=STOP_MARKET stopPrice=1.05
SUIUSDT - - - | stop-loss triggered: SUIUSDT SELL
SUIUSDT - - - | [EXIT-BRAIN] SUIUSDT SELL 40 sent
SUIUSDT - - - | SUIUSDT HOLD → CLOSE
SUIUSDT BUY - - | Plan SUIUSDT BUY entry=1.20 sl=1.10 tp=1.50
SUIUSDT BUY - - | SL=1.10 TP=1.50 SUIUSDT BUY
SUIUSDT SELL - - | candle close=1.21 SUIUSDT SELL signal
SUIUSDT SELL - - | SUIUSDT: liquidity low, SELL order not placed
"#,
    );
}

#[test]
fn confidences() {
    check(
        r#"
INJUSDT BUY 0.73 - | INJUSDT BUY conf=0.73, probs=[0.1, 0.17, 0.73]
INJUSDT BUY 0.6 - | INJUSDT → BUY (conf: 0.60)
INJUSDT SELL 0.58 - | INJUSDT SELL confidence=58%
INJUSDT SELL 0.723 - | Signal INJUSDT SELL, Confidence: 72.3%
INJUSDT SELL 0.57 - | INJUSDT: SELL with conf 57%
INJUSDT BUY 0.65 - | INJUSDT=BUY(0.65)
INJUSDT BUY 0.65 - | INJUSDT=BUY (0.65)
INJUSDT BUY 0.65 - | INJUSDT signal BUY @ 0.65
INJUSDT HOLD 0.9012 - | INJUSDT: HOLD 90.12%
INJUSDT SELL 0.8 - | {'symbol': 'INJUSDT', 'action': 'SELL', 'confidence': '0.80'}
INJUSDT SELL 0.8 - | {'symbol': 'INJUSDT', 'action': 'SELL', 'confidence': Decimal('0.80')}
INJUSDT SELL 0.8 - | INJUSDT action=SELL confidence=np.float64(0.80)
INJUSDT SELL 0.75 - | 75% confidence in SELL for INJUSDT
INJUSDT SELL 0.66 - | INJUSDT action=SELL final_confidence=0.66 min_conf=0.55
INJUSDT SELL 0.66 - | INJUSDT SELL min_confidence=0.55 conf=0.66
INJUSDT BUY 0.48 - | INJUSDT BUY rejected: confidence too low (0.48 < 0.55)
INJUSDT BUY 0.48 - | INJUSDT BUY rejected: confidence 0.48 < threshold 0.55
INJUSDT BUY - - | INJUSDT BUY rejected: confidence below 0.55
INJUSDT BUY - - | INJUSDT BUY, min_conf=0.65
INJUSDT BUY - - | INJUSDT BUY conf=high
INJUSDT BUY 0.7 - | INJUSDT BUY conf 0.52 → 0.70
INJUSDT HOLD - - | INJUSDT: HOLD (0%) R=0.2
INJUSDT HOLD - - | INJUSDT: HOLD (25%) R=0.2 PnL=$1.00
INJUSDT BUY - - | order filled INJUSDT BUY 0.42 @ 24.1
INJUSDT BUY - - | INJUSDT BUY @ $0.42
INJUSDT BUY - - | INJUSDT BUY 0.5 INJ
INJUSDT HOLD 0.62 - | ENSEMBLE INJUSDT: HOLD 62.00% | XGB:BUY/0.71 TFT:HOLD/0.40
- - - - | Confidence calibrated: 0.61 → 0.58
INJUSDT - - - | INJUSDT risk mode=defensive confidence=70%
INJUSDT - - - | Closing INJUSDT SELL confidence=0.9
INJUSDT BUY 1. - | INJUSDT BUY conf=1.00
INJUSDT BUY - - | INJUSDT BUY conf=250
"#,
    );
}

#[test]
fn formal_levels() {
    check(
        r#"
- - - info | 2026-05-01 10:00:00,123 - svc.core - INFO - up
- - - warning | 2026-05-01 10:00:00,123 | WARNING | slow
- - - error | 2026-05-01 10:00:00.123 | ERROR    | svc.core:run:42 - gone
- - - debug | 2026-05-01 10:00:00 [debug    ] cache hit            key=4
- - - warning | 2026-05-01T10:00:00.123456Z [WARN] queue long
- - - error | [2026-05-01 10:00:00 +0000] [17] [ERROR] worker died
- - - warning | [2026-05-01 10:00:00,123] [svc.exit] [WARNING] [Exit] slow
- - - info | May 01 10:00:00 [INFO] hello
- - - info | INFO:     10.0.0.1:5000 - "GET /x HTTP/1.1" 500 Internal Server Error
- - - info | INFO:     10.0.0.1:5000 - "GET /x HTTP/1.1" 404 Not Found
- - - warning | WARNING:root:careful
- - - critical | CRITICAL:svc.core:out of margin
- - - info | [RL-Agent] [INFO] 2026-05-01 10:00:00 | step 10
- - - error | 10:00:00 ERROR svc gone
- - - warning | 10:00:00,123 svc.core WARNING late
- - - warning | 2026-05-01 10:00:00 feeder[77]: WARNING: late
- - - info | trader-1  | 2026-05-01 10:00:00,123 - svc - INFO - up
- - - error | trader-1  | ERROR:    Application startup failed. Exiting.
- - - critical | ❌ CRITICAL: margin call
- - - warning | ⚠️ WARNING - margin low
- - - warning | Warning: deprecated flag
- - - error | time="2026-05-01T10:00:00Z" level=error msg="dial tcp"
- - - info | level=info msg="an error occurred: x"
- - - info | 2026-05-01 10:00:00 - INFO - [DEBUG] inner
- - - info | 2026-05-01 10:00:00 INFO run [WARNING] error=permit_timeout
- - - info | [I 2026-05-01 10:00:00,123] Trial 4 finished with value: 0.2
- - - warning | 2026-05-01 10:00:00.123456: W tensorflow/core/x.cc:64] no GPU
- - - info | [LightGBM] [Info] Total Bins 255
- - - error | [10:00:00] ERROR: /work/src/learner.cc:9: bad
- - - - | Status: ERROR
- - - - | INFO=3 WARNING=2
- - - - | [OK] WebSocket alive
- - - - | 10:00:00 [SKIP] cooldown
- - - - | Started quantum-risk.service - Risk Brain.
- - - - | ------------------------------
- - - warning | nginx: [warn] 1024 worker connections
- - - warning | 2026/05/01 10:00:00 [warn] 29#29: slow upstream
"#,
    );
}

#[test]
fn colours_do_not_hide_the_level() {
    let mut scratch = Scratch::default();
    for line in [
        "\u{1b}[32mINFO\u{1b}[0m:     up",
        "\u{1b}[2m2026-05-01 10:00:00\u{1b}[0m [\u{1b}[32m\u{1b}[1minfo     \u{1b}[0m] up",
    ] {
        assert_eq!(normaliser().normalise(line, &mut scratch).level, Some(Level::INFO), "{line:?}");
    }
}

#[test]
fn failures_without_a_level() {
    check(
        r#"
- - - error | 10:00:00 [svc] Traceback (most recent call last):
- - - error |   + Exception Group Traceback (most recent call last):
- - - error |   File "/srv/app/run.py", line 7, in main
- - - error |     File "<frozen importlib._bootstrap>", line 241
- - - error | ValueError: bad shape (3, 4)
- - - error | redis.exceptions.ConnectionError: nobody there
- - - error | binance.exceptions.BinanceAPIException: APIError(code=-1003): too many requests
- - - error | APIError(code=-1111): Precision is over the maximum
- - - error | KeyboardInterrupt
- - - error |  | During handling of the above exception, another exception occurred:
- - - error | The above exception was the direct cause of the following exception:
- - - error | [10:00:00] TFT predict failed: shapes differ
- - - error | ❌ Failed to load scaler
- - - error | Error fetching balance: timeout
- - - error | 10:00:00 ❌ Redis error: broken pipe
- - - error | [EXECUTOR] Error placing order: margin
- - - error | Task exception was never retrieved
- - - error | Failed to start quantum-risk.service - Risk Brain.
- - - error | quantum-risk.service: Failed with result 'exit-code'.
- - - error | [FEED] connect failed, retrying in 5s: Connection refused
- - - error | Error response from daemon: No such container
- - - warning | /usr/lib/py/x.py:88: UserWarning: odd feature names
- - - - |     raise ValueError("bad shape")
- - - - |     except TimeoutError:
- - - - |     return self.errors.get(key)
- - - - |     ~~~~^^^^^^
- - - - | Call stack:
- - - - | Message: 'order %s'
- - - - | Arguments: (1, 2)
- - - - | errors: 0
- - - - | Errors: 12 in 1h
- - - - | No errors found
- - - - | 0 failed, 12 passed
- - - - | requests=12 failed=0 error_rate=0.0%
- - - - | last_error: None
- - - - | Error count: 0
- - - - | error=None status=ok
- - - - | Exceptions seen:   0
- - - - | blocked: error=permit_timeout
- - - - | "GET /signal HTTP/1.1" 500
- - - - | retrying 3 failed orders
- - - - | RMSE prediction error 0.02
"#,
    );
}

#[test]
fn json_lines() {
    check(
        r#"
KASUSDT BUY 0.7 info | {"ts": "2026-05-01T10:00:00Z", "level": "INFO", "service": "x", "correlation_id": null, "msg": "KASUSDT BUY conf=0.70"}
KASUSDT - - warning | {"timestamp": "t", "levelname": "WARNING", "logger": "x", "message": "ERROR near KASUSDT"}
- - - error | {"asctime": "t", "severity": "error", "name": "x", "message": "gone"}
- - - critical | {"asctime": "t", "level": 50, "message": "gone"}
- - - error | {"timestamp": "t", "message": "ERROR: gone"}
KASUSDT - - info | {"ts": "t", "level": "INFO", "msg": "opened", "symbol": "KASUSDT"}
KASUSDT SELL 0.6 info | {"ts": "t", "level": "INFO", "msg": "signal", "extra": {"symbol": "KASUSDT", "side": "SELL", "confidence": 0.6}}
KASUSDT BUY 0.9 info | {"event": "signal", "level": "info", "symbol": "KASUSDT", "action": "BUY", "confidence": 0.9}
KASUSDT - - info | {"ts": "t", "level": "INFO", "msg": "KASUSDT cut sho
KASUSDT - - info | {"ts": "t", "level": "INFO", "msg": "KASUSDT"} ← this one
- - - - | {"level": {"a": 1}, "msg": 4}
"#,
    );
}

#[test]
fn the_message_of_a_json_line_is_unescaped() {
    let mut scratch = Scratch::default();
    for (line, text) in [
        (r#"{"level": "INFO", "msg": "plain"}"#, "plain"),
        (r#"{"level": "INFO", "msg": "a\n\"b\" \\ \/ \u00e9 \ud83d\ude80 \ud83d x"}"#, "a\n\"b\" \\ / é 🚀 \u{FFFD} x"),
        (r#"{"level": "INFO", "msg": ""}"#, ""),
        (r#"{"msg": "data, not a record"}"#, r#"{"msg": "data, not a record"}"#),
        (r#"  text "#, "  text "),
    ] {
        assert_eq!(normaliser().normalise(line, &mut scratch).message, text);
    }
}

#[test]
fn correlation_ids() {
    let mut scratch = Scratch::default();
    for (line, id) in [
        (r#"{"level": "INFO", "msg": "x", "correlation_id": "3f2a-11"}"#, Some("3f2a-11")),
        (r#"{"level": "INFO", "msg": "x correlation_id=77aa-bb", "correlation_id": null}"#, Some("77aa-bb")),
        (r#"{"level": "INFO", "msg": "x correlation_id=77aa-bb", "correlation_id": "3f2a-11"}"#, Some("3f2a-11")),
        ("correlation_id set: 3f2a0c11-9a for x", Some("3f2a0c11-9a")),
        ("trade published [correlation_id=3f2a0c11-9a]", Some("3f2a0c11-9a")),
        ("{'correlation_id': '3f2a0c11-9a'}", Some("3f2a0c11-9a")),
        ("Correlation ID: 3f2a0c11-9a.", Some("3f2a0c11-9a")),
        ("X-Correlation-ID: 3f2a0c11", Some("3f2a0c11")),
        ("correlation_id=None", None),
        ("correlation_id= side=BUY", None),
        ("correlation id missing", None),
        ("correlation 0.8312 of pairs", None),
        ("plan_id=3f2a0c11 order_id=99 trace_id=77aabb11 consumer=c1", None),
    ] {
        assert_eq!(normaliser().normalise(line, &mut scratch).correlation_id, id, "{line}");
    }
}

#[test]
fn long_lines_take_linear_time() {
    let normaliser = normaliser();
    let mut scratch = Scratch::default();
    for part in [
        "buy",
        "BUY ",
        "USDT",
        "_USDT",
        "conf=",
        "币",
        "[",
        "error ",
        "BUY/",
        "{\"msg\":",
        "correlation_id=",
        "→ ",
        "correlation_id:",
        "exit-",
        "a.TypeError.",
        "conf(",
        ".buy",
        "failed  ",
        "x failed: buy=→",
    ] {
        let line = part.repeat((1 << 20) / part.len());
        let got = normaliser.normalise(&line, &mut scratch);
        assert_eq!(got.message.len(), line.len());
    }
}

#[test]
fn lines_of_trading_services() {
    check(
        r#"
BTCUSDT BUY 0.81 info | 2026-05-01 10:00:00,123 - svc.brain - INFO - 🧠 [STRATEGY-BRAIN] Decision for BTCUSDT: BUY (confidence: 81.0%)
BTCUSDT BUY - info | 2026-05-01 10:00:00 | INFO | [RISK-BRAIN] Approved BTCUSDT BUY size=0.01 leverage=5x
BTCUSDT SELL 0.77 info | [2026-05-01 10:00:00,123] [INFO] [GOVERNOR] BTCUSDT SELL blocked: confidence 0.77, kill switch on
BTCUSDT BUY 0.55 - | ✅ Signal generated: BTCUSDT BUY (55.0%)
BTCUSDT BUY 0.64 info | INFO:svc:AI signal BTCUSDT: action=BUY, confidence=0.64, model=ensemble
BTCUSDT - - info | 2026-05-01 10:00:00 [INFO] [POSITION-MONITOR] BTCUSDT LONG entry=64000 mark=64100 pnl=+0.2%
BTCUSDT - - info | 2026-05-01 10:00:00 [INFO] TP order placed for BTCUSDT: SELL @ 66000
BTCUSDT - - info | 2026-05-01 10:00:00 [INFO] BTCUSDT TAKE_PROFIT_MARKET SELL stopPrice=66000
BTCUSDT - - info | 2026-05-01 10:00:00 [INFO] Harvest: BTCUSDT PARTIAL_25 pnl=3.2R
BTCUSDT - - info | 2026-05-01 10:00:00 [INFO] Position closed BTCUSDT side=BUY pnl=3.4
BTCUSDT SELL - - | 🚀 Executing order: SELL 0.015 BTCUSDT @ MARKET
BTCUSDT BUY - - | intent XADD quantum:stream:trade.intent symbol=BTCUSDT side=BUY qty=0.5
BTCUSDT BUY 0.7 - | payload={"symbol":"BTCUSDT","side":"BUY","confidence":0.70,"leverage":3}
BTCUSDT BUY 0.7 - | [RL] state=trend action=BUY (conf=0.70) BTCUSDT reward=0.1
BTCUSDT HOLD 0.5 - | TFT prediction BTCUSDT: HOLD (confidence 0.50)
BTCUSDT HOLD 0.5 - | BTCUSDT: TFT=HOLD (0.50)
BTCUSDT - - - | BTCUSDT: XGB=BUY(0.71) LGBM=SELL(0.62) TFT=HOLD(0.33)
BTCUSDT BUY 0.71 - | BTCUSDT: XGB=BUY(0.71) LGBM=SELL(0.62) => BUY (0.71)
BTCUSDT BUY 0.71 - | BTCUSDT final: BUY 71% [xgb: BUY 80%, lgbm: SELL 60%]
BTCUSDT HOLD - - | BTCUSDT | signal: HOLD | price: 64000
- HOLD 0.949 - | signal=HOLD conf=94.9%
BTCUSDT SELL - - | SELL order for BTCUSDT accepted (id 9912)
BTCUSDT BUY - - | {'symbol': 'BTCUSDT', 'orderId': 22, 'side': 'BUY', 'status': 'NEW', 'reduceOnly': False, 'closePosition': False, 'stopPrice': '0'}
BTCUSDT - - - | {'symbol': 'BTCUSDT', 'orderId': 22, 'side': 'BUY', 'type': 'STOP_MARKET', 'closePosition': True}
BTCUSDT - - - | {'symbol': 'BTCUSDT', 'orderId': 22, 'side': 'SELL', 'type': 'TAKE_PROFIT_MARKET', 'reduceOnly': False}
BTCUSDT - - - | close order BTCUSDT BUY sent
BTCUSDT - - - | BTCUSDT exit: SELL 4
BTCUSDT - - - | Stop loss order: BTCUSDT SELL
BTCUSDT - - - | [TP/SL] BTCUSDT SELL placed
BTCUSDT - - - | [EXIT_MANAGER] Sending SELL for BTCUSDT
BTCUSDT - - - | BTCUSDT SELL (close long)
BTCUSDT - - - | BTCUSDT SELL to close 4
BTCUSDT - - - | BTCUSDT SELL reason=take_profit
BTCUSDT - - - | BTCUSDT SELL reason=stop_loss
BTCUSDT - - - | BTCUSDT SELL (TP hit)
BTCUSDT - - - | BTCUSDT SELL 4 exit order
BTCUSDT BUY - - | BTCUSDT BUY | TP: $70000 | SL: $62000
BTCUSDT BUY - - | BTCUSDT BUY TP=+2.5% SL=-1.2%
BTCUSDT BUY - - | BTCUSDT BUY with TP/SL attached
BTCUSDT BUY 0.6 - | ✨ BTCUSDT: BUY | Conf=60% | TP=2.1% | SL=1.0%
BTCUSDT BUY 0.6 - | BTCUSDT BUY conf=0.60 (min 0.55)
BTCUSDT BUY 0.6 - | BTCUSDT BUY (conf=0.60 >= threshold=0.55)
BTCUSDT BUY - - | BTCUSDT BUY skipped, confidence threshold 0.55 not met
BTCUSDT BUY 0.6 - | BTCUSDT BUY c=0.60 confidence=0.60
BTCUSDT BUY 0.42 - | Low confidence (0.42) BTCUSDT BUY
BTCUSDT BUY 0.42 - | BTCUSDT BUY avg_confidence=0.42 consensus=3/4
BTCUSDT BUY 0.42 - | BTCUSDT BUY Confidence 42%
BTCUSDT BUY 0.42 - | **Signal:** BTCUSDT BUY **Confidence:** 0.42
BTCUSDT - - error | BTCUSDT order failed: insufficient margin
BTCUSDT BUY - error | Order failed: BTCUSDT BUY insufficient margin
BTCUSDT - - - | https://x.example/BTCUSDT?a=1
BTCUSDT - - - | XAUTOCLAIM quantum:position:BTCUSDT
BTCUSDT - - - | ledger:BTCUSDT amt=4 USDT=12
BTCUSDT - - - | BTCUSDT: margin 250USDT
BTCUSDT HOLD - info | 2026-05-01 10:00:00 - INFO - [AI-EXIT] BTCUSDT R=0.40: HOLD (score 5 vs 2)
BTCUSDT - - info | 2026-05-01 10:00:00 - INFO - [AI-EXIT] BTCUSDT R=0.40: PARTIAL_CLOSE 50%
BTCUSDT SELL 0.68 warning | {"asctime": "2026-05-01T10:00:00", "name": "x", "levelname": "WARNING", "message": "BTCUSDT SELL (68%) vetoed"}
BTCUSDT SELL - - | [PAPER] SELL BTCUSDT 0.4 @ 64000
BTCUSDT BUY - - | BUY BTCUSDT
BTCUSDT BUY - - | Placing LIMIT order: BUY 4 BTCUSDT @ 0.64
BTCUSDT BUY - - | order_id=8 BTCUSDT BUY FILLED avg=64000
BTCUSDT BUY - - | BTCUSDT BUY NEW -> FILLED
BTCUSDT BUY - - | Duplicate BTCUSDT BUY ignored
BTCUSDT BUY - - | Permit denied: BTCUSDT BUY plan=8812aa
BTCUSDT BUY - - | ✅ Plan 8812aa published: action=ENTER side=BUY symbol=BTCUSDT
BTCUSDT - - - | plan 8812aa: action=FULL_CLOSE_PROPOSED side=SELL symbol=BTCUSDT
BTCUSDT - - - | 8812aa decision=SKIP symbol=BTCUSDT reason=no_position
BTCUSDT - - - | 8812aa decision=EXECUTE symbol=BTCUSDT
BTCUSDT - - - | decision=BLOCKED symbol=BTCUSDT
BTCUSDT HOLD 0.72 - | AI signal: BTCUSDT -> HOLD @ 72%
BTCUSDT HOLD 0.72 - | BTCUSDT|HOLD|0.72
BTCUSDT BUY 0.72 - | ('BTCUSDT', 'BUY', 0.72)
BTCUSDT BUY 0.72 - | BTCUSDT prediction=BUY, probability=0.72, confidence=0.72
BTCUSDT BUY 0.72 - | BTCUSDT Signal(action='BUY', confidence=0.72, meta={'min_conf': 0.6})
BTCUSDT BUY 0.72 - | BTCUSDT BUY conf=72
BTCUSDT BUY 0.72 - | BTCUSDT BUY | confidence=0.72 | regime=TREND (confidence=0.91)
BTCUSDT BUY 0.72 - | BTCUSDT regime_confidence=0.91 action=BUY conf=0.72
BTCUSDT BUY 0.65 - | BTCUSDT BUY ensemble_confidence=0.65 xgb_conf=0.8
BTCUSDT BUY 0.65 - | 🎯 BTCUSDT → BUY | 65.0% confidence
BTCUSDT SELL 0.65 - | BTCUSDT → SELL [65%]
BTCUSDT SELL 0.65 - | BTCUSDT SELL@0.65
BTCUSDT BUY 0.65 - | [SHADOW] would BUY BTCUSDT (conf 0.65)
BTCUSDT - - - | BTCUSDT Long signal
BTCUSDT - - - | BTCUSDT signal=LONG confidence=0.7
BTCUSDT - - - | Position BTCUSDT side=LONG conf=0.7
BTCUSDT HOLD - - | BTCUSDT: HOLD - cooldown 40s left
BTCUSDT HOLD - - | BTCUSDT: model fallback to HOLD
BTCUSDT HOLD - - | BTCUSDT -> HOLD (no model loaded)
BTCUSDT BUY - - | BTCUSDT: member SELL ignored, action=BUY
BTCUSDT - - info | INFO:     1.2.3.4:80 - "GET /price/BTCUSDT HTTP/1.1" 200 OK
BTCUSDT - - error | ERROR:    [svc] BTCUSDT fetch
"#,
    );
}

#[test]
fn lines_of_agents_and_executors() {
    check(
        r#"
BTCUSDT BUY 0.7 - | [2026-05-01 10:00:00] [AI] Dispatching BUY for BTCUSDT with 0.70 confidence
BTCUSDT SELL - info | [2026-05-01T10:00:00.123Z] [INFO] [EXECUTOR] Order placed BTCUSDT SELL $200 @ 5x
BTCUSDT SELL - - | 10:00:00,123 | ✅ Order sent: SELL 26 BTCUSDT (leverage 7x)
BTCUSDT SELL - - | Risk check passed: BTCUSDT SELL $1000
BTCUSDT SELL - - | BTCUSDT: BUY→SELL flip
BTCUSDT SELL - - | BTCUSDT BUYΓåÆSELL
BTCUSDT HOLD 0.5 - | BTCUSDT BUY→HOLD conf=0.50
BTCUSDT - - - | BTCUSDT trailing stop moved to 64000
BTCUSDT - - - | Setting SL for BTCUSDT SELL stop=1
BTCUSDT - - - | TP for BTCUSDT: SELL 0.4
BTCUSDT - - - | BTCUSDT liquidation SELL 4
BTCUSDT - - - | BTCUSDT TRAILING_STOP SELL
BTCUSDT - - - | exit plan BTCUSDT BUY: tp 1.2
BTCUSDT - - - | HARVEST BTCUSDT reduceOnly SELL 4
BTCUSDT SELL - - | Entry order BTCUSDT SELL submitted
BTCUSDT BUY - - | entry/exit engine: BTCUSDT BUY
BTCUSDT BUY - - | stop_loss_pct=0.02 take_profit_pct=0.04 BTCUSDT BUY
BTCUSDT BUY - - | {'symbol': 'BTCUSDT', 'side': 'BUY', 'stop_loss': 61000, 'take_profit': 70000}
BTCUSDT BUY 0.8 - | {'symbol': 'BTCUSDT', 'side': 'BUY', 'confidence': 0.8, 'exit_price': None, 'close': 640}
BTCUSDT BUY 0.8 - | {"confidence": 0.8, "stop_loss": 1.0, "side": "BUY", "symbol": "BTCUSDT"}
BTCUSDT BUY - - | intent_id=4 | BTCUSDT | BUY | qty=4
BTCUSDT BUY - - | TRADE: BTCUSDT | Side: BUY | Size: 4
BTCUSDT - - - | TRADE: BTCUSDT | Side: LONG | Size: 4
BTCUSDT BUY - - | b'side': b'BUY', b'symbol': b'BTCUSDT'
BTCUSDT BUY - - | 1) "symbol" 2) "BTCUSDT" 3) "side" 4) "BUY"
BTCUSDT SELL - - | SIGNAL_SELL BTCUSDT
BTCUSDT - - - | BTCUSDT SELL_WALL detected
BTCUSDT HOLD 0.99 - | BTCUSDT => HOLD (p=0.99, conf=0.99)
- HOLD - - | All models say HOLD
- BUY 0.8 - | decision: buy, confidence: 0.8
- BUY 0.8 - | "action": "buy", "confidence": 0.8
- - - - | action: none
- SELL 0.52 - | → SELL (52%)
BTCUSDT BUY 0.52 - | BTCUSDT: Meta override BUY (0.52)
BTCUSDT HOLD 0.52 - | BTCUSDT META: HOLD/0.52
BTCUSDT HOLD 0.55 - | ENSEMBLE BTCUSDT: HOLD 55.0% | XGB: SELL 44% | LGBM: HOLD 50%
BTCUSDT HOLD 0.55 - | ENSEMBLE BTCUSDT: HOLD 55.0% [XGB SELL 44%, LGBM BUY 50%]
BTCUSDT BUY 0.55 - | BTCUSDT XGB says BUY with confidence of 0.55
"#,
    );
}

#[test]
fn lines_that_decide_nothing() {
    check(
        r#"
- - - - | Top signals: BUY 12, SELL 4, HOLD 80
- - - - | actions: {BUY: 3, SELL: 2}
- - - - | predictions=[BUY, SELL, HOLD]
- - - - | Action mapping: 0=SELL, 1=HOLD, 2=BUY
- - - - | classes: SELL=0, HOLD=1, BUY=2
- - - - | Allowed sides: ['BUY', 'SELL']
- - - info | INFO - HOLD bias detected (94%)
- - - warning | 2026-05-01 10:00:00,123 WARNING  [svc.x] heartbeat late
- - - error | 2026-05-01 10:00:00,123 [svc.x] ERROR: gone
- - - error | 2026-05-01 10:00:00 svc.x[12] ERROR gone
- - - info | svc.x INFO ready
- - - error | 2026-05-01 10:00:00,123 - svc.x - ERROR - [main.py:33] - gone
- - - info | 2026-05-01 10:00:00,123 - [INFO] - ready
- - - info | 2026-05-01 10:00:00,123 [MainThread] INFO svc - ready
- - - info | 2026-05-01 10:00:00,123 (MainThread) INFO ready
- - - warning | [svc] WARNING ready
- - - warning | May 01 10:00:00 prod-1 svc[88]: [WARN] ready
- - - info | May 01 10:00:00 prod-1 svc[88]: 2026-05-01 10:00:00 INFO ready
- - - warning | svc[88]: 2026-05-01 10:00:00,123 - svc.x - WARNING - ready
- - - info | 10:00:00.123 INFO     svc.x  ready
- - - debug | DEBUG:asyncio:Using selector: EpollSelector
- - - info | 2026-05-01 10:00:00.123 +00:00 [INF] ready
- - - info | Fri May  1 10:00:00 2026 INFO ready
- - - error | 🚨 [ERROR] margin
- - - error | │ ERROR │ margin
- - - info | > 2026-05-01 10:00:00 [INFO] quoted
- - - error | `[ERROR] quoted`
- - - info | - `2026-05-01 10:00:00 INFO x`
- - - error | ERROR: could not connect
- - - error | error: externally managed
- - - critical | fatal: not a git repository
- - - error | ConnectionRefusedError: [Errno 111] Connection refused
- - - error | OSError: [Errno 28] No space left
- - - error | asyncio.exceptions.CancelledError
- - - error | requests.exceptions.ReadTimeout: HTTPConnectionPool: Read timed out.
- - - error | json.decoder.JSONDecodeError: Expecting value
- - - error | ModuleNotFoundError: No module named 'x'
- - - error | AttributeError: 'NoneType' object has no attribute 'get'
- - - error | KeyError: 'symbol'
- - - error | 10:00:00 Model load error: no file
- - - error | [XGB] ❌ Prediction failed: bad width
- - - error | WRONGTYPE Operation failed: bad key
- - - error | Handler failed for trade.intent
- - - error | quantum-x.service: Main process exited, code=exited, status=1/FAILURE
- - - - | quantum-x.service: Deactivated successfully.
- - - - | quantum-x.service: Scheduled restart job, restart counter is at 4.
- - - - | Stopped quantum-x.service.
- - - - | error_count=0 warnings=2
- - - - | "errors": 0,
- - - - | Failed: 0
- - - - | failed: 3, ok: 9
- - - - | Failed orders: 3
- - - - | ✅ All tests passed, none failed
- - - - | ❌ BLOCKED: rate limit
- - - - | Error rate: 0.2%
- - - - | Checking for errors...
- - - - |     except Exception as e:
- - - - |     logger.error("Order failed: %s", e)
- - - - |     logger.error(f"Error: {e}")
- - - - |     raise HTTPException(status_code=404)
- - - - |     await self.process(message)
- - - - | --- Logging error ---
- - - - | HTTP/1.1 500 Internal Server Error
- - - - | Fail-safe mode enabled
- - - - | fail_count: 2
- - - - | AI Engine timeout
- - - - | Quote asset USDT, base 0.01 BTC
- - - - | Balance: 100USDT
- - - - | signal_distribution: HOLD 94.9%, BUY 3.1%, SELL 2.0%
- - - - | HOLD=94.9% BUY=3.1% SELL=2.0%
- - - - | # HOLD: 12
- - - - | orderbook imbalance, BUY wall at 64000
- - - - | Stop buying; buy_count=4 sell_count=2
- - - - | household holdings threshold sellers
- - - info | INFO:     1.2.3.4:80 - "GET /predict?symbol=x HTTP/1.1" 500 Internal Server Error
- - - error | ERROR:    Exception in ASGI application
- - - error | Exception in thread Thread-4:
- - - error | Unhandled exception in loop
- - - error | sqlite3.OperationalError: database is locked
- - - error | ❌ API error (code -1021): Timestamp
- - - error | Redis connection lost: ConnectionError: gone
- - - error | torch.cuda.OutOfMemoryError: CUDA out of memory
- - - error | RuntimeError: mat1 and mat2 shapes
- - - error | Failed to fetch klines for feed
- - - error | Could not connect to Redis
- - - - | error handling enabled
- - - - | ErrorTracker ready
- - - - | ✅ TypeError fixed
- - - - | 0 errors, 0 warnings
- - - - | errors=0 warnings=0
- - - - | [TEST] error path ok
- - - - | ERROR_THRESHOLD = 5
- - - - | WARNINGS: 0
- - - - | === ERROR SUMMARY ===
- - - - | CRITICAL_LEVERAGE=20
- - - - | Total exceptions: 0
- - - info | 2026-05-01 10:00:00 [info     ] service.started                port=8000
- - - warning | 2026-05-01T10:00:00Z [warning  ] late                           [svc.x] lag=4
- - - info | [2026-05-01T10:00:00.123Z] [INFO] [META] ready
- - - error | [2026-05-01 10:00:00,123: ERROR/MainProcess] gone
- - - info | INFO  [alembic.runtime.migration] Context impl
- - - error | 2026-05-01 10:00:00,123 ERROR: svc: gone
- - - info | 2026-05-01 10:00:00,123:INFO:svc:up
- - - info | 2026-05-01 10:00:00,123 | svc.x | INFO | up
- - - info | INFO | 2026-05-01 10:00:00 | up
- - - warning | WARN  2026-05-01 10:00:00 slow
- - - warning | 2026-05-01 10:00:00 - WARNING: slow
- - - error | svc.x - ERROR - gone
- - - info | quantum_ai  | INFO:     Application startup complete.
- - - error | 10:00:00 | ERROR | predict
- - - info | [INFO][svc] up
- - - warning | ⚠️  [WARNING] slow
- - - - | [TEST-1] CRITICALLY important
- - - - | 10:00:00 Information about a warning
- - - - | Warnings are shown below
- - - error | ❌ predict_batch failed: bad width
- - - error | Model training failed with exit code 1
- - - error | ❌ Migration FAILED
- - - - | status=FAILED retry=2
- - - - | jobs: completed=4 failed=2
- - - - | Status: FAILED
- - - - | Failure rate 3%
- - - - | fallback_used=False failed_models=[]
"#,
    );
}

/// Fragments that the judging looks for, so that random lines reach it.
const FRAGMENTS: [&str; 40] = [
    "BTCUSDT",
    "42USDT",
    "币USDT",
    "USDT",
    "BUY",
    "SELL",
    "HOLD",
    "buy",
    "side",
    "action",
    "=",
    ":",
    " ",
    "(",
    ")",
    "'",
    "\"",
    "→",
    "ΓåÆ",
    "conf",
    "confidence",
    "0.7",
    "71%",
    "999",
    "XGB",
    "INFO",
    "[",
    "]",
    " - ",
    "|",
    "error",
    "failed",
    "Error:",
    "correlation_id",
    "a1b2-c3",
    "close",
    "reduceOnly",
    "{\"level\":\"INFO\",\"msg\":\"",
    "\\ud83d",
    "\"}",
];

fn line() -> impl Strategy<Value = String> {
    let fragments = prop::collection::vec(prop::sample::select(&FRAGMENTS[..]), 0..40);
    prop_oneof![any::<String>(), fragments.prop_map(|parts| parts.concat())]
}

fn within(part: &str, whole: &str) -> bool {
    let (part, whole) = (part.as_bytes().as_ptr_range(), whole.as_bytes().as_ptr_range());
    whole.start <= part.start && part.end <= whole.end
}

proptest! {
    #[test]
    fn any_text_gives_a_sound_answer(line in line(), earlier in line()) {
        let normaliser = normaliser();
        let mut fresh = Scratch::default();
        let got = normaliser.normalise(&line, &mut fresh);
        let mut used = Scratch::default();
        normaliser.normalise(&earlier, &mut used);
        prop_assert_eq!(got, normaliser.normalise(&line, &mut used));

        if let Some(symbol) = got.symbol {
            prop_assert!(within(symbol, got.message) || within(symbol, &line));
        }
        prop_assert!(got.confidence.is_none_or(|confidence| (0.0..=1.0).contains(&confidence)));
        prop_assert!(got.decision.is_some() || got.confidence.is_none());
    }
}
