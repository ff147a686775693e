//! A watch that lists everything again after an error.
//!
//! A watch that is taken up where it broke says nothing until something changes, so that nobody could tell whether it
//! is well again, and since when. A complete list says both.

use std::fmt::Debug;

use futures::{StreamExt as _, stream::BoxStream};
use kube::{
    Api,
    runtime::watcher::{Config, Error, Event, watcher},
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::retry::{Failures, Retry};

/// A watch of one kind.
pub(crate) struct Watch<K> {
    api: Api<K>,
    config: Config,
    events: BoxStream<'static, Result<Event<K>, Error>>,
    /// When to begin anew, after an error.
    again: Option<Instant>,
    failures: Failures,
    salt: u64,
}

impl<K> Watch<K>
where
    K: kube::Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Begins to watch. `salt` spreads the attempts of watches that broke together.
    pub(crate) fn new(api: Api<K>, config: Config, salt: u64) -> Self {
        let events = watcher(api.clone(), config.clone()).boxed();
        Self { api, config, events, again: None, failures: Failures::default(), salt }
    }

    /// The next event. After an error, the first is [`Event::Init`]. Nothing is lost when this is dropped half-way.
    ///
    /// # Errors
    ///
    /// When the watch broke: from now on and until [`Event::InitDone`] it isn't known what has changed.
    pub(crate) async fn next(&mut self) -> Result<Event<K>, Error> {
        if let Some(again) = self.again {
            tokio::time::sleep_until(again).await;
            self.events = watcher(self.api.clone(), self.config.clone()).boxed();
            self.again = None;
        }
        let event = self.events.next().await.unwrap_or(Err(Error::NoResourceVersion));
        match &event {
            Ok(Event::InitDone) => self.failures = Failures::default(),
            Ok(_) => {}
            Err(_) => self.again = Some(Instant::now() + self.failures.again(Retry::Backoff, self.salt)),
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use http::{Request, Response};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{Client, client::Body};

    use super::*;

    const LIST: &str =
        r#"{"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": []}"#;

    /// Lists are answered; the first watch breaks, as when the network is away, and the next one stays open.
    fn client(lists: Arc<AtomicUsize>) -> Client {
        let watches = Arc::new(AtomicUsize::new(0));
        let service = tower::service_fn(move |request: Request<Body>| {
            let (lists, watches) = (Arc::clone(&lists), Arc::clone(&watches));
            async move {
                if !request.uri().query().is_some_and(|query| query.contains("watch=true")) {
                    lists.fetch_add(1, Ordering::Relaxed);
                    return Ok(Response::new(Body::from(LIST.as_bytes().to_vec())));
                }
                match watches.fetch_add(1, Ordering::Relaxed) {
                    0 => Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
                    _ => std::future::pending().await,
                }
            }
        });
        Client::new(service, "default")
    }

    #[tokio::test]
    async fn after_an_error_everything_is_listed_again() {
        let lists = Arc::new(AtomicUsize::new(0));
        let api: Api<ConfigMap> = Api::all(client(Arc::clone(&lists)));
        let mut watch = Watch::new(api, Config::default(), 0);
        assert!(matches!(watch.next().await, Ok(Event::Init)));
        assert!(matches!(watch.next().await, Ok(Event::InitDone)));
        assert!(watch.next().await.is_err());
        assert!(matches!(watch.next().await, Ok(Event::Init)));
        assert!(matches!(watch.next().await, Ok(Event::InitDone)));
        assert_eq!(lists.load(Ordering::Relaxed), 2);
    }
}
