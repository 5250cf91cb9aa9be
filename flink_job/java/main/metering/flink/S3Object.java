package metering.flink;

import java.io.FileNotFoundException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import software.amazon.awssdk.http.apache.ApacheHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;

/**
 * Stream of the bytes of an object on S3, read with the default credentials. Closing it closes its
 * client.
 */
final class S3Object extends FilterInputStream {

  private final S3Client client;

  private S3Object(InputStream content, S3Client client) {
    super(content);
    this.client = client;
  }

  /**
   * Opens an object.
   *
   * @param uri {@code s3://bucket/key}
   * @param region the bucket's AWS region
   * @param endpoint the endpoint of S3; empty for that of AWS
   * @throws FileNotFoundException if there is no such object
   */
  static InputStream open(String uri, String region, String endpoint) throws FileNotFoundException {
    URI object = URI.create(uri);
    S3Client client = client(region, endpoint);
    try {
      return new S3Object(
          client.getObject(
              request -> request.bucket(object.getAuthority()).key(object.getPath().substring(1))),
          client);
    } catch (NoSuchKeyException e) {
      client.close();
      throw new FileNotFoundException(uri);
    } catch (RuntimeException e) {
      client.close();
      throw e;
    }
  }

  @Override
  public void close() throws IOException {
    try {
      super.close();
    } finally {
      client.close();
    }
  }

  private static S3Client client(String region, String endpoint) {
    S3ClientBuilder builder =
        S3Client.builder().region(Region.of(region)).httpClientBuilder(ApacheHttpClient.builder());
    if (!endpoint.isEmpty()) {
      builder.endpointOverride(URI.create(endpoint)).forcePathStyle(true);
    }
    return builder.build();
  }
}
