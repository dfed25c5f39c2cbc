//! A real S3-compatible server (moto, of tests/backup/requirements.txt), and a network before it that fails on demand.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::receiver::Certificates;
use super::wait_for_some;

/// The server, which keeps everything in memory. Killed when dropped.
pub(crate) struct Moto {
    pub(crate) port: u16,
    child: Child,
    _directory: tempfile::TempDir,
}

impl Moto {
    pub(crate) fn start() -> Self {
        Self::run(&[])
    }

    /// With TLS, by the certificate of [`Certificates`]. What a test asks of it itself does not work then.
    pub(crate) fn start_tls(certificates: &Certificates) -> Self {
        let path = |name: &str| certificates.file(name).display().to_string();
        Self::run(&["--ssl-cert", &path("server.pem"), "--ssl-key", &path("server.key")])
    }

    fn run(options: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/moto/bin/moto_server");
        let directory = tempfile::tempdir().expect("a directory");
        let log = directory.path().join("log");
        let file = File::create(&log).expect("a file");
        let child = Command::new(&program)
            .args(["--host", "127.0.0.1", "--port", "0"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file"))
            .stderr(file)
            .current_dir(directory.path())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; `make setup-test` installs it", program.display()));
        let read = || std::fs::read_to_string(&log).unwrap_or_default();
        let port = wait_for_some(
            || {
                let text = read();
                let (_, rest) = text.split_once("Running on http")?;
                let (line, _) = rest.split_once('\n')?;
                line.rsplit_once(':')?.1.trim().parse().ok()
            },
            || format!("moto does not start: {}", read()),
        );
        Self { port, child, _directory: directory }
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A request of the test's own, whose signature means nothing.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("moto");
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-length: {}\r\nconnection: close\r\n",
            self.port,
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            head.push_str(&format!("authorization: {}\r\n", by("s3")));
        }
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        stream.write_all(format!("{head}\r\n").as_bytes()).expect("it reads");
        stream.write_all(body).expect("it reads");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("it answers");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let status = String::from_utf8_lossy(&bytes[9..12]).parse().expect("a status");
        Answer { status, body: bytes.split_off(end + 4) }
    }

    #[track_caller]
    fn done(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let answer = self.ask(method, path, headers, body);
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
        answer.body
    }

    pub(crate) fn make_bucket(&self, name: &str) {
        self.done("PUT", &format!("/{name}"), &[], b"");
    }

    /// The keys of all objects, in order.
    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        let listed = self.done("GET", &format!("/{bucket}?list-type=2"), &[], b"");
        texts(&String::from_utf8_lossy(&listed), "Key")
    }

    /// Uploads in parts that were begun and not ended.
    pub(crate) fn unfinished(&self, bucket: &str) -> usize {
        let listed = self.done("GET", &format!("/{bucket}?uploads"), &[], b"");
        texts(&String::from_utf8_lossy(&listed), "UploadId").iter().filter(|id| !id.is_empty()).count()
    }

    pub(crate) fn object(&self, bucket: &str, key: &str) -> Vec<u8> {
        self.done("GET", &format!("/{bucket}/{key}"), &[], b"")
    }

    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        self.done("PUT", &format!("/{bucket}/{key}"), &[], bytes);
    }

    pub(crate) fn delete(&self, bucket: &str, key: &str) {
        self.done("DELETE", &format!("/{bucket}/{key}"), &[], b"");
    }

    /// Flips a bit in the middle of an object.
    pub(crate) fn damage(&self, bucket: &str, key: &str) {
        let mut bytes = self.object(bucket, key);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        self.put(bucket, key, &bytes);
    }

    /// Makes an account and a key of it, which may do `actions`: the key's id and its secret.
    pub(crate) fn account(&self, name: &str, actions: &str) -> (String, String) {
        let policy = format!(
            "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22\
             {actions}%22%2C%22Resource%22%3A%22*%22%7D%5D%7D"
        );
        self.iam(&format!("Action=CreateUser&UserName={name}"));
        self.iam(&format!("Action=PutUserPolicy&UserName={name}&PolicyName=p&PolicyDocument={policy}"));
        let key = self.iam(&format!("Action=CreateAccessKey&UserName={name}"));
        (texts(&key, "AccessKeyId").remove(0), texts(&key, "SecretAccessKey").remove(0))
    }

    fn iam(&self, form: &str) -> String {
        let by =
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x";
        let headers = [("authorization", by), ("content-type", "application/x-www-form-urlencoded")];
        let body = format!("{form}&Version=2010-05-08");
        String::from_utf8(self.done("POST", "/", &headers, body.as_bytes())).expect("text")
    }

    /// From now on requests must be signed, rightly, by somebody who may. What a test asks itself is refused from then on.
    pub(crate) fn check_signatures(&self) {
        self.done("POST", "/moto-api/reset-auth", &[], b"0");
    }

    /// The contrary.
    pub(crate) fn check_nothing(&self) {
        self.done("POST", "/moto-api/reset-auth", &[], b"inf");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.kill();
    }
}

fn by(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=x"
    )
}

/// What the server said.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The texts of all elements of that name.
fn texts(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}

/// What happens to the bytes of requests on their way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    /// Every connection ends when so many bytes have gone by, and none comes any more.
    pub(crate) down_after: Option<u64>,
    /// One connection ends when so many bytes have gone by.
    pub(crate) cut_after: Option<u64>,
    /// One connection ends when so many bytes of answers have gone by.
    pub(crate) cut_answers_after: Option<u64>,
    /// Answers come byte by byte, a few in a second, when so many bytes of them have gone by.
    pub(crate) drip_answers_after: Option<u64>,
    /// The byte behind so many is another one.
    pub(crate) flip_after: Option<u64>,
}

/// A port before a server.
pub(crate) struct Wire {
    pub(crate) port: u16,
    weather: Arc<Mutex<Weather>>,
}

impl Wire {
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let wire = Self { port: listener.local_addr().expect("an address").port(), weather: Arc::default() };
        let weather = wire.weather.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if weather.lock().expect("the lock").down_after == Some(0) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (mut from_client, mut to_client) = (client.try_clone().expect("a socket"), client);
                let (mut from_server, mut to_server) = (server.try_clone().expect("a socket"), server);
                let (requests, answers) = (weather.clone(), weather.clone());
                thread::spawn(move || carry(&mut from_client, &mut to_server, &requests, true));
                thread::spawn(move || carry(&mut from_server, &mut to_client, &answers, false));
            }
        });
        wire
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&self, weather: Weather) {
        *self.weather.lock().expect("the lock") = weather;
    }
}

fn carry(from: &mut TcpStream, to: &mut TcpStream, weather: &Mutex<Weather>, requests: bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut pass = read;
        let mut drips = false;
        {
            let mut weather = weather.lock().expect("the lock");
            if requests {
                if let Some(at) = flipped(&mut weather.flip_after, read) {
                    buffer[at] ^= 1;
                }
                if let Some(left) = &mut weather.down_after {
                    pass = pass.min(usize::try_from(*left).unwrap_or(read));
                    *left -= pass as u64;
                }
                pass = pass.min(cut(&mut weather.cut_after, read));
            } else {
                pass = cut(&mut weather.cut_answers_after, read);
                drips = weather.drip_answers_after == Some(0);
                if let Some(left) = &mut weather.drip_answers_after {
                    *left = left.saturating_sub(read as u64);
                }
            }
        }
        let slowly = |byte: &u8| {
            thread::sleep(Duration::from_millis(300));
            to.write_all(&[*byte])
        };
        let passed = if drips { buffer[..pass].iter().try_for_each(slowly) } else { to.write_all(&buffer[..pass]) };
        if passed.is_err() || pass < read {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// How many of `read` bytes go by; fewer than all once.
fn cut(left: &mut Option<u64>, read: usize) -> usize {
    let Some(bytes) = left else { return read };
    let pass = usize::try_from(*bytes).unwrap_or(read).min(read);
    *bytes -= pass as u64;
    if pass < read {
        *left = None;
    }
    pass
}

/// Which of `read` bytes is another one, once.
fn flipped(left: &mut Option<u64>, read: usize) -> Option<usize> {
    let pass = cut(left, read);
    (pass < read).then_some(pass)
}

/// A port that answers every request as it is told, the last answer for ever; it counts them.
pub(crate) struct Parrot {
    pub(crate) port: u16,
    asked: Arc<Mutex<usize>>,
}

impl Parrot {
    /// Each answer: status, further headers (each with its line end), body.
    pub(crate) fn start(answers: &[(u16, &str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let parrot = Self { port: listener.local_addr().expect("an address").port(), asked: Arc::default() };
        let answers: Vec<_> = answers.iter().map(|(s, h, b)| (*s, (*h).to_owned(), (*b).to_owned())).collect();
        let asked = parrot.asked.clone();
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let mut buffer = [0; 4096];
                let mut head = Vec::new();
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    match client.read(&mut buffer) {
                        Ok(read @ 1..) => head.extend_from_slice(&buffer[..read]),
                        _ => break,
                    }
                }
                let mut asked = asked.lock().expect("the lock");
                let (status, headers, body) = &answers[(*asked).min(answers.len() - 1)];
                *asked += 1;
                let length = body.len();
                let text = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
                );
                let _ = client.write_all(text.as_bytes());
            }
        });
        parrot
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn asked(&self) -> usize {
        *self.asked.lock().expect("the lock")
    }
}
