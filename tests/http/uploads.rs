//! Bodies that are handed on as they come.

use quantum_clm::http::client::ClientError;
use quantum_clm::http::error::ApiError;
use quantum_clm::http::peer::Role;
use quantum_clm::http::upload::Upload;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;

/// Counts what comes, and tells of each piece.
fn counting(told: mpsc::UnboundedSender<usize>) -> Route<State> {
    Route::put("/upload", Role::Open, move |mut body: Upload| {
        let told = told.clone();
        async move {
            let mut size = 0;
            while let Some(bytes) = body.next().await? {
                size += bytes.len();
                let _ = told.send(size);
            }
            Ok::<_, ApiError>(axum::Json(size))
        }
    })
    .uploads()
}

const HEAD: &str = "PUT /upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";

#[tokio::test]
async fn an_upload_takes_longer_than_any_other_body_or_answer_may() {
    let (told, mut pieces) = mpsc::unbounded_channel();
    let limit = Duration::from_millis(50);
    let times = Times { body: limit, answer: limit * 4, stall: PATIENCE };
    let server = Server::with(vec![counting(told)], Limits::default(), times);
    let mut stream = TcpStream::connect(server.tcp).await.unwrap();
    stream.write_all(format!("{HEAD}content-length: 6\r\n\r\nabc").as_bytes()).await.unwrap();
    assert_eq!(within(pieces.recv()).await, Some(3), "it is handed on before it is whole");
    tokio::time::sleep_until(Instant::now() + times.answer + limit).await;
    stream.write_all(b"def").await.unwrap();
    let answer = rest(&mut stream).await;
    assert_eq!((status(&answer), body(&answer)), (200, 6.into()), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn an_upload_of_which_nothing_comes_is_ended() {
    let (told, mut pieces) = mpsc::unbounded_channel();
    let times = Times { stall: Duration::from_millis(50), ..Times::default() };
    let server = Server::with(vec![counting(told)], Limits::default(), times);
    let mut stream = TcpStream::connect(server.tcp).await.unwrap();
    stream.write_all(format!("{HEAD}content-length: 6\r\n\r\nabc").as_bytes()).await.unwrap();
    assert_eq!(within(pieces.recv()).await, Some(3));
    let answer = rest(&mut stream).await;
    assert_eq!(status(&answer), 408, "{answer}");
    assert!(answer.contains("nothing of the body came"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_read_for_who_may_not_upload() {
    let (told, mut pieces) = mpsc::unbounded_channel();
    let route = Route::put("/upload", Role::Operator, move |mut body: Upload| {
        let told = told.clone();
        async move {
            let first = body.next().await?;
            let _ = told.send(first.map_or(0, |bytes| bytes.len()));
            Ok::<_, ApiError>(())
        }
    })
    .uploads();
    let server = Server::start(vec![route]);
    let answer = server.raw(&format!("{HEAD}content-length: 1000000\r\n\r\nabc")).await;
    assert_eq!(status(&answer), 401, "{answer}");
    // Nor does anybody wait for what does not come once it is allowed to.
    assert!(pieces.try_recv().is_err(), "the handler was asked");
    server.stop().await;
}

#[tokio::test]
async fn the_commands_client_hears_why_a_large_file_is_refused() {
    let route = Route::put("/upload", Role::Admin, |mut body: Upload| async move {
        body.next().await?;
        Err::<(), _>(ApiError::Conflict("there is one already".into()))
    })
    .uploads();
    let server = Server::start(vec![route]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large");
    std::fs::File::create(&path).unwrap().set_len(256 << 20).unwrap();
    let error = within(server.client().put_file::<()>("/upload", &path)).await.unwrap_err();
    assert!(matches!(&error, ClientError::Refused { detail, .. } if detail == "there is one already"), "{error}");
    server.stop().await;
}
