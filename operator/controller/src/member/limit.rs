//! No member fills the operator's memory: what it answers is read up to a limit.

use http_body_util::{BodyExt as _, Limited};
use kube::{Client, client::Body};

/// The largest answer of a member: more than a page of a list, however large its objects. A watch is begun again every minute.
const ANSWER_MAX: usize = 64 << 20;

/// A member has answered more than is read of it.
#[derive(Debug, thiserror::Error)]
#[error("its answer can't be read, or is larger than {max} bytes")]
struct Unread {
    max: usize,
    #[source]
    source: tower::BoxError,
}

/// A client that reads no more of an answer than the limit.
pub(super) fn limited(client: Client) -> Client {
    limited_to(ANSWER_MAX, client)
}

fn limited_to(max: usize, client: Client) -> Client {
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let client = client.clone();
        async move {
            let answer = client.send(request).await?;
            let read = |body| Limited::new(body, max).map_err(move |source| Unread { max, source });
            Ok::<_, tower::BoxError>(answer.map(read))
        }
    });
    Client::new(service, "default")
}

#[cfg(test)]
mod tests {
    use http::Response;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_up_to_the_limit() {
        let object = json!({"metadata": {"name": "x"}, "data": {"x": "y".repeat(1000)}}).to_string();
        let size = object.len();
        let service = tower::service_fn(move |_: http::Request<Body>| {
            let object = object.clone();
            async move { Ok::<_, tower::BoxError>(Response::new(Body::from(object.into_bytes()))) }
        });
        let client = Client::new(service, "default");
        let read = |max| Api::<ConfigMap>::namespaced(limited_to(max, client.clone()), "acme");
        assert!(read(size).get("x").await.is_ok());
        let refused = super::super::chain(&read(size - 1).get("x").await.unwrap_err());
        assert!(refused.contains("larger than"), "{refused}");
    }
}
