import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Posts one event, some times over one client with the defaults of java.net.http. */
public class Post {
    public static void main(String[] arguments) throws Exception {
        var client = HttpClient.newHttpClient();
        var publisher = arguments.length > 3 && arguments[3].equals("chunked")
            ? HttpRequest.BodyPublishers.ofInputStream(
                () -> new java.io.ByteArrayInputStream(arguments[1].getBytes()))
            : HttpRequest.BodyPublishers.ofString(arguments[1]);
        var request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .header("Content-Type", "application/json")
            .POST(publisher)
            .build();
        for (int number = 0; number < Integer.parseInt(arguments[2]); number++) {
            var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.version() + " " + answer.body());
        }
    }
}
