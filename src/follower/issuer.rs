//! The node that is followed, over HTTP. Everything that it sends is bounded, and proved by whoever asked for it.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url, header};

use super::FollowError;
use crate::app::changes::Versions;
use crate::revocation::index::SliceRef;
use crate::{signed, tls};

/// How long a node may take to answer, beside what it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(10);
/// For how many seconds it waits for something newer before it answers that there is nothing.
pub(super) const WAIT_S: u64 = 20;

/// The node that is followed.
pub(crate) struct Issuer {
    client: Client,
    url: Url,
}

impl Issuer {
    /// The node at `url`. `roots`: whose certificates are believed.
    ///
    /// Errors: [`FollowError::Url`] for anything but `https://`, or `http://` to this machine itself.
    pub fn new(url: &str, roots: rustls::RootCertStore) -> Result<Issuer, FollowError> {
        let mut url = Url::parse(url).map_err(|_| FollowError::Url("it is no URL"))?;
        let to_ourselves = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
        match url.scheme() {
            "https" => {}
            "http" if to_ourselves => {}
            "http" => return Err(FollowError::Url("plain http:// is for this machine only; use https://")),
            _ => return Err(FollowError::Url("it must begin with https://")),
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let client = tls::http_client(roots).connect_timeout(Duration::from_secs(5)).no_proxy();
        let client = client.build().map_err(|_| FollowError::Url("no HTTP client can be made for it"))?;
        Ok(Issuer { client, url })
    }

    /// What is newer than `known`, signed; `None` if nothing is after `wait_s` seconds.
    pub async fn changes(&self, known: &Versions, wait_s: u64) -> Result<Option<Vec<u8>>, FollowError> {
        let Versions { trust, trust_signed, revocations, rules } = known;
        let path = format!(
            "v1/changes?trust={trust}&trust_signed={trust_signed}&revocations={revocations}&rules={rules}&wait={wait_s}"
        );
        self.get(&path, signed::MAX_LEN, Duration::from_secs(wait_s)).await
    }

    /// A signed resource.
    pub async fn signed(&self, path: &str) -> Result<Vec<u8>, FollowError> {
        self.get(path, signed::MAX_LEN, Duration::ZERO).await?.ok_or(FollowError::Answer(304))
    }

    /// A slice of the revocations.
    pub async fn slice(&self, slice: &SliceRef) -> Result<Vec<u8>, FollowError> {
        let most = usize::try_from(slice.bytes).unwrap_or(usize::MAX).min(signed::MAX_LEN);
        let bytes = self.get(&format!("v1/revocations/{}", slice.id), most, Duration::ZERO).await?;
        bytes.ok_or(FollowError::Answer(304))
    }

    /// What is not signed as a whole, such as a part of the transparency log: `most` bytes at most. One that is busy is asked again.
    pub async fn plain(&self, path: &str, most: usize) -> Result<Vec<u8>, FollowError> {
        let mut pause = Duration::from_millis(100);
        loop {
            match self.get(path, most, Duration::ZERO).await {
                Err(FollowError::Answer(429 | 503)) if pause < PATIENCE => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                bytes => return bytes?.ok_or(FollowError::Answer(304)),
            }
        }
    }

    async fn get(&self, path: &str, most: usize, wait: Duration) -> Result<Option<Vec<u8>>, FollowError> {
        let url = self.url.join(path).map_err(|_| FollowError::Url("it is no URL to begin with"))?;
        let asked = self.client.get(url).header(header::ACCEPT, "application/cose").timeout(PATIENCE + wait).send();
        let mut response = asked.await.map_err(|_| FollowError::Unreachable)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED => return Ok(None),
            status => return Err(FollowError::Answer(status.as_u16())),
        }
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|_| FollowError::Unreachable)? {
            if bytes.len() + part.len() > most {
                return Err(FollowError::TooLarge);
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Some(bytes))
    }
}
