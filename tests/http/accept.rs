use axum::Extension;
use quantum_clm::http::peer::{Caller, Peer, Role};
use quantum_clm::http::{extract, stream};
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn health_and_metrics_need_no_credential() {
    let server = Server::start(Vec::new());
    let answer = server.get("/health").await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(body(&answer)["status"], "healthy");
    assert_eq!(body(&answer)["components"]["journal"]["state"], "ok");
    for header in [
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "content-security-policy: default-src 'none'; frame-ancestors 'none'",
        "content-type: application/json",
    ] {
        assert!(answer.contains(header), "{header} is not in\n{answer}");
    }
    server.state.board.reporter("store").failed("secret", "secret");
    let answer = server.get("/health").await;
    assert_eq!((status(&answer), body(&answer)["status"].as_str()), (503, Some("degraded")), "{answer}");
    assert!(!answer.contains("secret"));
    server.state.metrics.stored("ai_engine", 3);
    let answer = server.get("/metrics").await;
    assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
    assert!(answer.contains("\nquantum_clm_events_stored_total 3\n"), "{answer}");
}

#[tokio::test]
async fn what_is_not_in_the_table_is_refused() {
    let server = Server::start(vec![Route::post("/api/x", Role::Admin, || async {})]);
    let paths = [("/", 404), ("/nothing", 404), ("/health/", 404), ("/HEALTH", 404), ("/health%2f", 400)];
    let climbing = [("/health/../metrics", 400), ("/%2e%2e/health", 400), ("//health", 400)];
    for (path, expected) in paths.into_iter().chain(climbing) {
        let answer = server.get(path).await;
        assert_eq!(status(&answer), expected, "{path}: {answer}");
        assert!(body(&answer)["detail"].is_string(), "{answer}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
    }
    let answer = server.raw("DELETE /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status(&answer), 405, "{answer}");
    assert!(answer.contains("allow: GET,HEAD"), "{answer}");
    assert!(body(&answer)["detail"].is_string(), "{answer}");
}

#[tokio::test]
async fn a_head_that_never_ends_is_closed() {
    let limits = Limits { head_time: Duration::from_millis(50), ..Limits::default() };
    let server = Server::with(Vec::new(), limits, Times::default());
    let mut stream = TcpStream::connect(server.tcp).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    // And a connection that says nothing at all, before and after a request.
    let mut silent = TcpStream::connect(server.tcp).await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    silent = TcpStream::connect(server.tcp).await.unwrap();
    silent.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(status(&rest(&mut silent).await), 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Server::start(Vec::new());
    let large = format!("GET /health HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(17 << 10));
    assert_eq!(status(&server.raw(&large).await), 431);
    let many: String = (0..65).map(|n| format!("x{n}: y\r\n")).collect();
    assert_eq!(status(&server.raw(&format!("GET /health HTTP/1.1\r\nhost: x\r\n{many}\r\n")).await), 431);
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(17 << 10));
    assert!(matches!(status(&server.raw(&long).await), 414 | 431));
    assert_eq!(status(&server.raw("nonsense\r\n\r\n").await), 400);
}

/// A route that anybody may post to.
fn echo() -> Route<State> {
    Route::post("/echo", Role::Open, |extract::Body(body): extract::Body<Value>| async move { axum::Json(body) })
}

#[tokio::test]
async fn bodies_have_limits() {
    let times = Times { body: Duration::from_millis(50), ..Times::default() };
    let server = Server::with(vec![echo().body_bytes(1000)], Limits::default(), times);
    let post = |length: usize, body: &str| {
        format!("POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let answer = server.raw(&post(8, r#"{"a": 1}"#)).await;
    assert_eq!((status(&answer), body(&answer)), (200, json!({"a": 1})), "{answer}");
    let answer = server.raw(&post(1001, &"1".repeat(1001))).await;
    assert_eq!(status(&answer), 413, "{answer}");
    let chunk = format!("3e8\r\n{}\r\n", "1".repeat(1000)).repeat(2);
    let answer = server
        .raw(&format!("POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"))
        .await;
    assert_eq!(status(&answer), 413, "{answer}");
    let answer = server.raw(&post(100, "{")).await;
    assert_eq!(status(&answer), 408, "{answer}");
    let answer = server.raw(&post(2, "{]")).await;
    assert_eq!(status(&answer), 422, "{answer}");
    assert_eq!(body(&answer)["detail"][0]["loc"], json!(["body"]));
}

#[tokio::test]
async fn a_panic_is_an_answer_and_a_slow_handler_is_given_up() {
    let times = Times { answer: Duration::from_millis(20), ..Times::default() };
    let routes = vec![
        Route::get("/panic", Role::Open, || async {
            if true {
                panic!("secret")
            }
        }),
        Route::get("/slow", Role::Open, std::future::pending::<()>),
    ];
    let server = Server::with(routes, Limits::default(), times);
    // Twice over one connection, which lives on.
    let request = "GET /panic HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = server.raw(&format!("{request}GET /panic HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
    assert_eq!(answer.matches("HTTP/1.1 500").count(), 2, "{answer}");
    assert!(answer.contains(r#"{"detail":"internal error"#) && !answer.contains("secret"), "{answer}");
    assert_eq!(status(&server.get("/slow").await), 503);
}

#[tokio::test]
async fn an_idle_connection_makes_room_and_a_busy_one_does_not() {
    let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    let going = std::sync::Arc::clone(&go);
    let busy = Route::get("/busy", Role::Open, move || {
        let (begun, going) = (begun.clone(), std::sync::Arc::clone(&going));
        async move {
            begun.send(()).await.unwrap();
            going.notified().await;
        }
    });
    // Idle connections end by themselves, but not within this test.
    let limits = Limits { tcp_connections: 1, head_time: PATIENCE * 20, ..Limits::default() };
    let server = Server::with(vec![busy], limits, Times::default());
    // An answer was had, nothing else is asked for: the next closes it.
    let mut idle = TcpStream::connect(server.tcp).await.unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0];
    within(idle.read_exact(&mut byte)).await.unwrap();
    let mut first = TcpStream::connect(server.tcp).await.unwrap();
    first.write_all(b"GET /busy HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    within(has_begun.recv()).await.unwrap();
    assert_eq!(status(&format!("H{}", rest(&mut idle).await)), 200, "its answer was there before it was closed");
    // The first is at work; the second gets its answer once the first has its own. The commands have places of their own.
    let mut second = std::pin::pin!(server.get("/health"));
    let client = server.client();
    tokio::select! {
        biased;
        answer = &mut second => panic!("served beyond the limit: {answer}"),
        over_the_socket = client.get_any::<Value>("/health") => assert_eq!(over_the_socket.unwrap().0, 200),
    }
    go.notify_one();
    assert_eq!(status(&rest(&mut first).await), 200);
    assert_eq!(status(&second.await), 200);
}

#[tokio::test]
async fn live_tails_leave_places_for_pages() {
    let hold = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let follow = Route::get("/follow", Role::Open, move || {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        sender.try_send("one\n".into()).unwrap();
        hold.lock().unwrap().push(sender);
        async move { stream::lines(receiver) }
    })
    .streams();
    let limits = Limits { streams: 1, ..Limits::default() };
    let server = Server::with(vec![follow], limits, Times::default());
    let mut tail = TcpStream::connect(server.tcp).await.unwrap();
    tail.write_all(b"GET /follow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("one") {
        assert_ne!(within(tail.read_buf(&mut seen)).await.unwrap(), 0, "{}", String::from_utf8_lossy(&seen));
    }
    let answer = server.get("/follow").await;
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(answer.contains("retry-after: 10"), "{answer}");
    assert_eq!(status(&server.get("/health").await), 200);
    // The commands follow by other places.
    let mut lines = within(server.client().lines("/follow")).await.unwrap();
    assert_eq!(within(lines.next()).await.unwrap().as_deref(), Some("one"));
    // A reader that leaves gives its place back, once the server notices.
    drop(tail);
    let again = async {
        loop {
            let mut tail = TcpStream::connect(server.tcp).await.unwrap();
            tail.write_all(b"GET /follow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let mut head = [0; 12];
            tail.read_exact(&mut head).await.unwrap();
            if &head == b"HTTP/1.1 200" {
                return;
            }
        }
    };
    within(again).await;
}

#[tokio::test]
async fn the_socket_tells_who_asks() {
    let who = Route::get(
        "/who",
        Role::Admin,
        |Extension(peer): Extension<Peer>, Extension(caller): Extension<Caller>| async move {
            let Peer::Unix { uid, pid, .. } = peer else { panic!("{peer:?}") };
            axum::Json(json!({"uid": uid, "pid": pid, "role": caller.role()}))
        },
    );
    let server = Server::start(vec![who]);
    let answer: Value = within(server.client().get_json("/who")).await.unwrap();
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(answer, json!({"uid": uid, "pid": std::process::id(), "role": "admin"}));
    let answer = server.get("/who").await;
    assert_eq!(status(&answer), 401, "{answer}");
    assert!(answer.contains("www-authenticate: "), "{answer}");
}

#[tokio::test]
async fn a_stop_ends_streams_and_lets_requests_finish() {
    let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    let (going, hold) = (std::sync::Arc::clone(&go), std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
    let routes = vec![
        Route::get("/follow", Role::Open, move || {
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            sender.try_send("one\n".into()).unwrap();
            // A sender that is never dropped: only the stop can end this answer.
            hold.lock().unwrap().push(sender);
            async move { stream::lines(receiver) }
        })
        .streams(),
        Route::get("/busy", Role::Open, move || {
            let (begun, going) = (begun.clone(), std::sync::Arc::clone(&going));
            async move {
                begun.send(()).await.unwrap();
                going.notified().await;
                "done"
            }
        }),
    ];
    let limits = Limits { drain: PATIENCE, ..Limits::default() };
    let server = Server::with(routes, limits, Times::default());
    let mut lines = within(server.client().lines("/follow")).await.unwrap();
    assert_eq!(within(lines.next()).await.unwrap().as_deref(), Some("one"));
    let (tcp, socket) = (server.tcp, server.socket.clone());
    let busy = tokio::spawn(async move {
        let mut stream = TcpStream::connect(tcp).await.unwrap();
        stream.write_all(b"GET /busy HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        rest(&mut stream).await
    });
    within(has_begun.recv()).await.unwrap();
    server.stopper.ask(Stop::Drain);
    assert_eq!(within(lines.next()).await.unwrap(), None);
    go.notify_one();
    let answer = within(busy).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    assert_eq!(server.stop().await, 0);
    assert!(!socket.exists());
    assert!(TcpStream::connect(tcp).await.is_err());
}

#[tokio::test]
async fn a_drain_has_a_deadline_and_can_be_given_up() {
    for (stop, drain, cut) in [(Stop::Drain, Duration::from_millis(10), 1), (Stop::GiveUp, PATIENCE * 10, 0)] {
        let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
        let stuck = Route::get("/stuck", Role::Open, move || {
            let begun = begun.clone();
            async move {
                begun.send(()).await.unwrap();
                std::future::pending::<()>().await;
            }
        });
        let server = Server::with(vec![stuck], Limits { drain, ..Limits::default() }, Times::default());
        let mut stream = TcpStream::connect(server.tcp).await.unwrap();
        stream.write_all(b"GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        within(has_begun.recv()).await.unwrap();
        server.stopper.ask(stop);
        assert_eq!(within(server.served).await.unwrap(), cut, "{stop:?}");
    }
}

#[tokio::test]
async fn who_asks_and_never_reads_is_dropped() {
    let large = "x".repeat(64 << 20);
    let route = Route::get("/large", Role::Open, move || std::future::ready(large.clone()));
    let limits = Limits { stall: Duration::from_millis(50), tcp_connections: 1, ..Limits::default() };
    let server = Server::with(vec![route], limits, Times::default());
    let mut greedy = TcpStream::connect(server.tcp).await.unwrap();
    greedy.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // Its place is the only one, so this answer proves that it was freed.
    assert_eq!(status(&server.get("/health").await), 200);
}
