use axum::http::StatusCode;
use quantum_clm::http::client::ClientError;
use quantum_clm::http::error::ApiError;
use quantum_clm::http::peer::Role;
use quantum_clm::http::{extract, stream};
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn no_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let expected = format!(
        "no daemon answers at {}: start it with systemctl start quantum-clm, or pass --data-file to read the file offline",
        socket.display()
    );
    let ask = async || Client::new(&socket).get_json::<Value>("/health").await.unwrap_err().to_string();
    assert_eq!(ask().await, expected);
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert_eq!(ask().await, expected);
}

#[tokio::test]
async fn a_daemon_that_breaks_off() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 10]).await.unwrap();
    });
    let error = within(Client::new(&socket).get_json::<Value>("/health")).await.unwrap_err();
    assert!(matches!(error, ClientError::Broken { step: "answering", .. }), "{error}");
}

/// The head of a request.
async fn head(stream: &mut tokio::net::UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn what_is_to_be_done_once_is_asked_again_under_the_same_key() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let daemon = tokio::spawn(async move {
        let mut keys = Vec::new();
        for answer in
            ["", "", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n7", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n8"]
        {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = head(&mut stream).await;
            keys.extend(head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).map(str::to_owned));
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        keys
    });
    let client = Client::new(&socket);
    for number in [7, 8] {
        assert_eq!(within(client.post_once::<u64>("/x", &json!({}))).await.unwrap(), number);
    }
    let keys = daemon.await.unwrap();
    assert_eq!((keys.len(), &keys[0], &keys[1]), (4, &keys[1], &keys[2]));
    assert!(keys[0].len() == 32 && keys[3] != keys[0], "{keys:?}");
}

#[tokio::test]
async fn answers_and_refusals() {
    let routes = vec![
        Route::post("/echo", Role::Admin, |extract::Body(body): extract::Body<Value>| async move { axum::Json(body) }),
        Route::post(
            "/typed",
            Role::Admin,
            |extract::Body(number): extract::Body<u64>| async move { axum::Json(number) },
        ),
        Route::get("/conflict", Role::Admin, || async { ApiError::Conflict("somebody was first".into()) }),
        Route::get(
            "/part/{n}",
            Role::Admin,
            |extract::PathPart(n): extract::PathPart<u64>| async move { axum::Json(n) },
        ),
    ];
    let server = Server::start(routes);
    let client = server.client();
    let sent = json!({"text": "ünï", "n": 1});
    assert_eq!(client.post_json::<Value>("/echo", &sent).await.unwrap(), sent);
    assert_eq!(client.get_json::<u64>("/part/7").await.unwrap(), 7);
    let refused = async |error: ClientError| match error {
        ClientError::Refused { status, detail, .. } => (status, detail),
        other => panic!("{other}"),
    };
    let (status, detail) = refused(client.get_json::<Value>("/conflict").await.unwrap_err()).await;
    assert_eq!((status, detail.as_str()), (StatusCode::CONFLICT, "somebody was first"));
    let (status, detail) = refused(client.post_json::<Value>("/typed", &json!("x")).await.unwrap_err()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(detail.contains("expected u64"), "{detail}");
    let (status, _) = refused(client.get_json::<Value>("/part/x").await.unwrap_err()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _) = refused(client.get_json::<Value>("/nothing").await.unwrap_err()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let error = client.get_json::<Vec<String>>("/health").await.unwrap_err();
    assert!(matches!(error, ClientError::Answer { .. }), "{error}");
    server.state.board.reporter("store").failed("broken", "mend it");
    let (status, health) = client.get_any::<Value>("/health").await.unwrap();
    assert_eq!((status, health["status"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("degraded")));
}

#[tokio::test]
async fn lines_whatever_the_frames() {
    let frames = ["a", "b\n", "", "c\nd\n\ne", "\n", "the last"];
    let route = Route::get("/lines", Role::Admin, move || async move {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            for frame in frames {
                sender.send(frame.into()).await.unwrap();
            }
        });
        stream::lines(receiver)
    })
    .streams();
    let server = Server::start(vec![route]);
    let mut lines = server.client().lines("/lines").await.unwrap();
    let mut found = Vec::new();
    while let Some(line) = within(lines.next()).await.unwrap() {
        found.push(line);
    }
    assert_eq!(found, ["ab", "c", "d", "", "e", "the last"]);
}
