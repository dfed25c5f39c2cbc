//! Lines as services of trading systems write them.

use super::check;

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
