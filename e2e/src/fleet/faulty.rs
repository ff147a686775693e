//! Stands in for an API server that answers every request with an error.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context as _;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// What a proxy says in front of an API server that is gone: not the Status object that a client hopes for.
const ANSWER: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/html\r\ncontent-length: 21\r\n\
                      connection: close\r\n\r\n<h1>Out of order</h1>";

/// Answers 500 until it is dropped.
#[derive(Debug)]
pub struct FaultyServer {
    stop: Arc<AtomicBool>,
    address: SocketAddr,
    accepts: Option<JoinHandle<()>>,
}

impl FaultyServer {
    /// Serves at `address` with the certificate of the API server whose files are in `pki`.
    pub(crate) fn start(address: SocketAddr, pki: &Path) -> anyhow::Result<Self> {
        let chain = CertificateDer::pem_file_iter(pki.join("apiserver.crt"))?.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_file(pki.join("apiserver.key"))?;
        let config = Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?);
        let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let accepts = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let config = Arc::clone(&config);
                // A client that goes away meanwhile isn't ours to complain about.
                thread::spawn(move || drop(answer(stream, config)));
            }
        });
        Ok(Self { stop, address, accepts: Some(accepts) })
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(accepts) = self.accepts.take() {
            // It doesn't panic, and a test that ends has nothing to do about it.
            let _ = accepts.join();
        }
    }
}

/// Reads the head of a request and answers.
fn answer(stream: TcpStream, config: Arc<ServerConfig>) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut stream = StreamOwned::new(ServerConnection::new(config)?, stream);
    let (mut head, mut part) = (Vec::new(), [0; 4096]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        head.extend_from_slice(part.get(..read).unwrap_or_default());
    }
    stream.write_all(ANSWER.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(())
}
