//! One connection that is kept open: requests as bytes, answers whole.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).await.context("connecting to the node")?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, read: Vec::new() })
    }

    /// Sends a request, and gives the status and the body of its answer, which is read whole.
    pub async fn ask(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let head = loop {
            if let Some(end) = memmem::find(&self.read, b"\r\n\r\n") {
                break end + 4;
            }
            self.fill().await?;
        };
        let headers = std::str::from_utf8(self.read.get(..head).unwrap_or_default())?;
        let status: u16 = headers.get(9..12).context("a status line")?.parse()?;
        let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
        let whole = match length {
            Some(length) => head + length.parse::<usize>()?,
            None => {
                while !self.read.ends_with(b"0\r\n\r\n") {
                    self.fill().await?;
                }
                self.read.len()
            }
        };
        while self.read.len() < whole {
            self.fill().await?;
        }
        Ok((status, self.read.get(head..whole).unwrap_or_default()))
    }

    async fn fill(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("the node closed the connection");
        }
        Ok(())
    }
}
