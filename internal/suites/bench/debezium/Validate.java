import io.debezium.connector.postgresql.PostgresConnector;
import java.util.HashMap;
import java.util.Map;
import java.util.Scanner;
import org.apache.kafka.common.config.Config;
import org.apache.kafka.common.config.ConfigValue;

/**
 * Validates sources with Debezium's connector. Each line of the standard input has the properties of one, as name=value
 * between tabs. The line that answers it has the nanoseconds that it took, a tab, and the errors.
 */
class Validate {
    public static void main(String[] arguments) {
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            Map<String, String> properties = new HashMap<>();
            for (String pair : lines.nextLine().split("\t")) {
                properties.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
            }
            long begin = System.nanoTime();
            Config config = new PostgresConnector().validate(properties);
            long took = System.nanoTime() - begin;
            StringBuilder errors = new StringBuilder();
            for (ConfigValue value : config.configValues()) {
                for (String message : value.errorMessages()) {
                    errors.append(errors.length() == 0 ? "" : "; ").append(message.replaceAll("\\s+", " "));
                }
            }
            System.out.println(took + "\t" + errors);
        }
    }
}
