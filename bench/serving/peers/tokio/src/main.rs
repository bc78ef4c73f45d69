// SPDX-License-Identifier: MIT
//
// Echo and lines on tokio, one thread.
//
//     tokio_server echo [BUFFER_BYTES]
//     tokio_server lines            read_until, write_all for every line
//     tokio_server lines_codec      LinesCodec
//     tokio_server lines_batched    read_until, a BufWriter flushed when no line is left
use futures_util::{SinkExt, StreamExt};
use std::io::Result;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LinesCodec};

const LINE_BUFFER: usize = 64 * 1024;

async fn echo(mut socket: TcpStream, buffer_bytes: usize) -> Result<()> {
    let mut buffer = vec![0; buffer_bytes];
    loop {
        let bytes = socket.read(&mut buffer).await?;
        if bytes == 0 {
            return Ok(());
        }
        socket.write_all(&buffer[..bytes]).await?;
    }
}

async fn lines(mut socket: TcpStream) -> Result<()> {
    let (read, mut write) = socket.split();
    let mut reader = BufReader::with_capacity(LINE_BUFFER, read);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await? != 0 {
        write.write_all(&line).await?;
        line.clear();
    }
    Ok(())
}

async fn lines_batched(mut socket: TcpStream) -> Result<()> {
    let (read, write) = socket.split();
    let mut reader = BufReader::with_capacity(LINE_BUFFER, read);
    let mut writer = BufWriter::with_capacity(LINE_BUFFER, write);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await? != 0 {
        writer.write_all(&line).await?;
        line.clear();
        if reader.buffer().is_empty() {
            writer.flush().await?;
        }
    }
    Ok(())
}

async fn lines_codec(socket: TcpStream) -> Result<()> {
    let mut framed = Framed::new(socket, LinesCodec::new());
    while let Some(Ok(line)) = framed.next().await {
        if framed.send(line).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn serve(what: String, buffer_bytes: usize) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        match what.as_str() {
            "echo" => drop(tokio::spawn(echo(socket, buffer_bytes))),
            "lines" => drop(tokio::spawn(lines(socket))),
            "lines_batched" => drop(tokio::spawn(lines_batched(socket))),
            _ => drop(tokio::spawn(lines_codec(socket))),
        }
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "echo".into());
    let buffer_bytes = arguments.next().map_or(64 * 1024, |bytes| bytes.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(serve(what, buffer_bytes))
}
