//! Each line of a table is `expected | line`, where expected is `symbol decision confidence level`, `-` for none.

mod random;
mod services;

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
