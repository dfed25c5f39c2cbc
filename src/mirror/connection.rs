use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::condition::MirrorError;
use super::cut::Cut;
use super::resp::{self, Reply};
use crate::config::{Redis, RedisAddress};
use crate::names::{self, Unresolved};

const CONNECT: Duration = Duration::from_secs(5);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection to Redis. After an error it is of no further use, except where Redis itself refused something.
pub(super) struct Connection {
    at: RedisAddress,
    stream: Box<dyn Stream>,
    /// How long an answer is waited for.
    answer: Duration,
    received: Vec<u8>,
    used: usize,
    /// What long values go through, where others decide how long they are.
    cut: Option<Cut>,
}

impl Connection {
    /// Connects, signs in and selects the database. The password file is read anew for each connection.
    pub(super) async fn open(config: &Redis, answer: Duration) -> Result<Self, MirrorError> {
        let config = config.clone();
        let target = tokio::task::spawn_blocking(move || config.target()).await?.map_err(MirrorError::Password)?;
        let target = target.ok_or(MirrorError::NoTarget)?;
        let stream: Box<dyn Stream> = match &target.address {
            RedisAddress::Tcp { host, port } => Box::new(connect(host, *port, &target.address).await?),
            RedisAddress::Unix(path) => Box::new(within(CONNECT, &target.address, UnixStream::connect(path)).await?),
        };
        let mut connection = Self { at: target.address, stream, answer, received: Vec::new(), used: 0, cut: None };
        if let Some(password) = &target.password {
            let password = password.expose().as_bytes();
            match &target.user {
                Some(user) => connection.ask(&[b"AUTH", user.as_bytes(), password]).await?,
                None => connection.ask(&[b"AUTH", password]).await?,
            };
        }
        if target.db != 0 {
            connection.ask(&[b"SELECT", target.db.to_string().as_bytes()]).await?;
        }
        // For the eyes of whoever looks at CLIENT LIST; a Redis that forbids it is no less useful.
        match connection.ask(&[b"CLIENT", b"SETNAME", b"quantum-clm"]).await {
            Err(MirrorError::Refused(line)) if line.starts_with("NOAUTH") => Err(MirrorError::Refused(line)),
            Err(error) if !error.is_refusal() => Err(error),
            _ => Ok(connection),
        }
    }

    /// From here on values are cut to `most` bytes.
    pub(super) fn cutting(mut self, most: usize) -> Self {
        self.cut = Some(Cut::new(most));
        self
    }

    /// Where it leads to, for people.
    pub(super) fn at(&self) -> &RedisAddress {
        &self.at
    }

    /// Sends one command; an error reply is an error.
    pub(super) async fn ask(&mut self, arguments: &[&[u8]]) -> Result<Reply, MirrorError> {
        let mut bytes = Vec::new();
        resp::command(&mut bytes, arguments);
        match self.pipeline(&bytes, 1).await?.pop() {
            Some(Reply::Error(line)) => Err(MirrorError::Refused(line)),
            Some(reply) => Ok(reply),
            None => Err(MirrorError::NotRedis("there is no reply".into())),
        }
    }

    /// Sends packed commands and waits for as many replies. Error replies are among them.
    pub(super) async fn pipeline(&mut self, commands: &[u8], replies: usize) -> Result<Vec<Reply>, MirrorError> {
        let answer = self.answer;
        let exchange = async {
            self.stream.write_all(commands).await?;
            self.stream.flush().await?;
            let mut answers = Vec::with_capacity(replies);
            while answers.len() < replies {
                match self.next_reply()? {
                    Some(reply) => answers.push(reply),
                    None => self.receive().await?,
                }
            }
            Ok(answers)
        };
        timeout(answer, exchange).await.map_err(|_| MirrorError::Silent(answer.as_secs()))?
    }

    fn next_reply(&mut self) -> Result<Option<Reply>, MirrorError> {
        match resp::parse(self.received.get(self.used..).unwrap_or_default()) {
            Ok(Some((reply, len))) => {
                self.used += len;
                Ok(Some(reply))
            }
            Ok(None) => Ok(None),
            Err(resp::NotRedis) => {
                let start: Vec<u8> = self.received.iter().skip(self.used).take(40).copied().collect();
                Err(MirrorError::NotRedis(String::from_utf8_lossy(&start).into_owned()))
            }
        }
    }

    async fn receive(&mut self) -> io::Result<()> {
        self.received.drain(..self.used);
        self.used = 0;
        // As much again as a cut answer already has: an answer of megabytes is not looked through a thousand times.
        let room = self.received.len().max(64 * 1024);
        let read = match &mut self.cut {
            None => {
                self.received.reserve(room);
                self.stream.read_buf(&mut self.received).await?
            }
            Some(cut) => {
                let mut piece = Vec::with_capacity(room);
                let read = self.stream.read_buf(&mut piece).await?;
                cut.pass(&piece, &mut self.received);
                read
            }
        };
        match read {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "Redis closed it")),
            _ => Ok(()),
        }
    }
}

async fn within<T>(
    limit: Duration,
    at: &RedisAddress,
    connecting: impl Future<Output = io::Result<T>>,
) -> Result<T, MirrorError> {
    let result = timeout(limit, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    result.map_err(|source| MirrorError::Unreachable { at: at.to_string(), source })
}

async fn connect(host: &str, port: u16, at: &RedisAddress) -> Result<TcpStream, MirrorError> {
    let none = Unresolved { host: host.to_owned(), why: "it has no address".into() };
    let mut result = Err(MirrorError::Unresolved(none));
    for address in names::resolve(host).await.map_err(MirrorError::Unresolved)? {
        match within(CONNECT, at, TcpStream::connect(SocketAddr::new(address, port))).await {
            Ok(stream) => {
                // A commit a second is a small write that waits for its answer.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => result = Err(error),
        }
    }
    result
}
