//! A browser without a screen: cookies by host, and redirects that it follows only when told.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use reqwest::header::{ACCEPT, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

/// Its cookies, by host and port, by name.
type Jar = BTreeMap<String, BTreeMap<String, String>>;

/// A browser.
pub struct Browser {
    client: Client,
    jar: Jar,
}

/// A page that it shows.
pub struct Page {
    /// Where.
    pub url: Url,
    /// Status.
    pub status: StatusCode,
    /// Where it leads, if it is a redirect.
    pub location: Option<Url>,
    /// Its text.
    pub body: String,
}

impl Browser {
    /// Without cookies.
    pub fn new() -> Result<Self> {
        let client = Client::builder().redirect(Policy::none()).no_proxy();
        Ok(Self {
            client: client.build()?,
            jar: Jar::new(),
        })
    }

    /// Opens an address; follows nothing.
    pub async fn open(&mut self, url: &Url) -> Result<Page> {
        let request = self.client.get(url.clone()).headers(self.headers(url)?);
        let response = request.send().await?;
        self.show(url, response).await
    }

    /// Opens an address and follows redirects while `follows` says so of where they lead.
    pub async fn follow(&mut self, url: &Url, follows: impl Fn(&Url) -> bool) -> Result<Page> {
        let mut page = self.open(url).await?;
        while let Some(next) = page.location.clone().filter(&follows) {
            page = self.open(&next).await?;
        }
        Ok(page)
    }

    /// Sends a form, given as it stands on the wire.
    pub async fn send(&mut self, url: &Url, form: &str) -> Result<Page> {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let request = self.client.post(url.clone()).headers(self.headers(url)?);
        let request = request.header(kind.0, kind.1).body(form.to_owned());
        let response = request.send().await?;
        self.show(url, response).await
    }

    fn headers(&self, url: &Url) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, "text/html".parse()?);
        let own = self.jar.get(&host(url)?);
        let pairs = own.into_iter().flatten();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !pairs.is_empty() {
            headers.insert(COOKIE, pairs.join("; ").parse()?);
        }
        Ok(headers)
    }

    async fn show(&mut self, url: &Url, response: Response) -> Result<Page> {
        let jar = self.jar.entry(host(url)?).or_default();
        for cookie in response.headers().get_all(SET_COOKIE) {
            keep(jar, cookie.to_str()?);
        }
        let status = response.status();
        let location = match response.headers().get(LOCATION) {
            Some(location) => Some(url.join(location.to_str()?)?),
            None => None,
        };
        Ok(Page {
            url: url.clone(),
            status,
            location: location.filter(|_| status.is_redirection()),
            body: response.text().await?,
        })
    }
}

fn host(url: &Url) -> Result<String> {
    let host = url.host_str().context("an address without a host")?;
    Ok(format!(
        "{host}:{}",
        url.port_or_known_default().unwrap_or_default()
    ))
}

/// Keeps a cookie, or forgets one that has run out.
fn keep(jar: &mut BTreeMap<String, String>, cookie: &str) {
    let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
    let Some((name, value)) = pair.split_once('=') else {
        return;
    };
    let attributes = attributes.to_ascii_lowercase();
    let is_over =
        attributes.contains("max-age=0") || attributes.contains("expires=thu, 01 jan 1970");
    if is_over {
        jar.remove(name);
    } else {
        jar.insert(name.to_owned(), value.to_owned());
    }
}
